//! The program as an operator uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use picard_crypto::{ExposeSecret, SecretString};
use picard_web::{RegisterClient, RegisterError, Registration, register_client};
use sqlx::PgPool;

use crate::kit::{CLIENT_ID, CLIENT_SECRET, FakeServer, House, KEY};

fn request(server_url: &str, password: &str, env_file: Option<&std::path::Path>) -> RegisterClient {
    RegisterClient {
        server_url: server_url.to_owned(),
        admin_username: "admin".to_owned(),
        admin_password: SecretString::from(password),
        web_public_url: "https://web.example/".to_owned(),
        env_file: env_file.map(Into::into),
    }
}

#[tokio::test]
async fn registering_writes_the_credentials_once() {
    let server = FakeServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.env");
    fs::write(&path, "# kept\nWEB_ADDR=127.0.0.1:8000\nCLIENT_ID=\n").expect("a file");

    let first = register_client(request(server.url(), "correct", Some(&path)))
        .await
        .expect("it is registered");
    let again = register_client(request(server.url(), "wrong by now", Some(&path)))
        .await
        .expect("nothing to do");

    assert!(matches!(first, Registration::Created { client_id, client_secret }
        if client_id == CLIENT_ID && client_secret.expose_secret() == CLIENT_SECRET));
    assert!(matches!(again, Registration::AlreadyThere { client_id } if client_id == CLIENT_ID));
    let text = fs::read_to_string(&path).expect("a text");
    assert_eq!(
        text,
        format!("# kept\nWEB_ADDR=127.0.0.1:8000\nCLIENT_ID={CLIENT_ID}\nCLIENT_SECRET={CLIENT_SECRET}\n")
    );
    assert_eq!(
        fs::metadata(&path).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "no temporary file is left"
    );
}

#[tokio::test]
async fn a_registration_that_fails_says_why_and_writes_nothing() {
    let server = FakeServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".env");

    let refused = register_client(request(server.url(), "wrong", Some(&path))).await;
    let unreachable = register_client(request("http://127.0.0.1:1", "correct", Some(&path))).await;

    assert!(matches!(refused, Err(RegisterError::Refused)), "{refused:?}");
    assert!(matches!(unreachable, Err(RegisterError::Unreachable(_))));
    assert!(!path.exists());
}

#[sqlx::test(migrations = false)]
async fn the_env_file_is_read_where_nothing_else_says_otherwise(pool: PgPool) {
    use sqlx::ConnectOptions;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.env");
    let url = pool.connect_options().to_url_lossy();
    fs::write(
        &path,
        format!("WEB_DATABASE_URL={url}\nWEB_ENCRYPTION_KEYS={KEY}\n"),
    )
    .expect("a file");

    let status = tokio::process::Command::new(env!("CARGO_BIN_EXE_picard-web"))
        .args(["migrate", "--env-file"])
        .arg(&path)
        .env_clear()
        .output()
        .await
        .expect("it runs");

    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM people")
        .fetch_one(&pool)
        .await
        .expect("a table");
    assert_eq!(tables, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_log_has_neither_tokens_nor_addresses_nor_texts(pool: PgPool) {
    use sqlx::ConnectOptions;
    let house = House::open(pool).await;
    let folder = tempfile::tempdir().expect("a folder");
    let log = fs::File::create(folder.path().join("log")).expect("a file");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_picard-web"))
        .env_clear()
        .envs([
            (
                "WEB_DATABASE_URL",
                house.pool.connect_options().to_url_lossy().to_string(),
            ),
            ("WEB_ENCRYPTION_KEYS", KEY.to_owned()),
            ("SERVER_URL", house.server.url().to_owned()),
            ("CLIENT_ID", CLIENT_ID.to_owned()),
            ("CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("WEB_ADDR", format!("127.0.0.1:{port}")),
            ("RUST_LOG", "trace".to_owned()),
        ])
        .stdout(log)
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let browser = crate::kit::Browser::at_address(&format!("127.0.0.1:{port}"));
    while !browser.answers().await {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    browser.get("/register").await;
    let fields = [
        ("username", "ada"),
        ("email", "ada@canary.example"),
        ("password", "canary password"),
    ];
    browser.post("/register", &fields).await;
    browser.get("/connect").await;
    browser.post("/connect", &[]).await;
    let page = browser
        .post(
            "/memories/new",
            &[("text", "canary text"), ("permission", "private")],
        )
        .await;
    browser.get("/search?q=canary+query").await;
    browser.post("/connections/disconnect", &[]).await;
    program.kill().await.expect("it ends");

    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line["span"]["request_id"] == page.header("x-request-id") && line["status"] == 303)
    );
    let tokens = house.server.memo().issued.clone();
    let cookies = browser.cookies();
    let secrets = ["canary", CLIENT_SECRET, KEY]
        .into_iter()
        .chain(tokens.iter().map(String::as_str));
    for secret in secrets.chain(cookies.values().map(String::as_str)) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
