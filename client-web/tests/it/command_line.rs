//! The program as an operator uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use picard_crypto::{ExposeSecret, SecretString};
use picard_web::{RegisterClient, RegisterError, Registration, register_client};
use sqlx::PgPool;

use crate::kit::{Browser, CLIENT_ID, CLIENT_SECRET, FakeServer, House, KEY};

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

    let first = register_client(request(server.url(), "correct", Some(&path))).await.expect("it is registered");
    let again = register_client(request(server.url(), "correct", Some(&path))).await.expect("nothing to do");
    let unchecked = register_client(request(server.url(), "wrong by now", Some(&path))).await.expect("nothing to do");

    assert!(matches!(first, Registration::Created { client_id, client_secret }
        if client_id == CLIENT_ID && client_secret.expose_secret() == CLIENT_SECRET));
    assert!(matches!(again, Registration::AlreadyThere { client_id } if client_id == CLIENT_ID));
    assert!(matches!(unchecked, Registration::Unchecked { client_id, why }
        if client_id == CLIENT_ID && matches!(*why, RegisterError::Refused)));
    let text = fs::read_to_string(&path).expect("a text");
    assert_eq!(text, format!("# kept\nWEB_ADDR=127.0.0.1:8000\nCLIENT_ID={CLIENT_ID}\nCLIENT_SECRET={CLIENT_SECRET}\n"));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn an_application_that_moved_or_is_not_known_any_more_is_registered_as_it_is_now() {
    let server = FakeServer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.env");
    register_client(request(server.url(), "correct", Some(&path))).await.expect("it is registered");
    let elsewhere =
        RegisterClient { web_public_url: "https://new.example".to_owned(), ..request(server.url(), "correct", Some(&path)) };

    let moved = register_client(elsewhere).await.expect("it is moved");

    assert!(matches!(moved, Registration::Moved { client_id } if client_id == CLIENT_ID));
    let known = server.memo().client.clone();
    assert_eq!(known["redirect_uris"], serde_json::json!(["https://new.example/oauth/callback"]), "and no other address");
    assert_eq!(known["scopes"], serde_json::json!(["memories:read", "memories:write"]));
    server.memo().client = serde_json::Value::Null;
    let again = register_client(request(server.url(), "correct", Some(&path))).await.expect("it is registered again");
    assert!(matches!(again, Registration::Created { .. }));
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
    fs::write(&path, format!("WEB_DATABASE_URL={url}\nWEB_ENCRYPTION_KEYS={KEY}\n")).expect("a file");

    let status = tokio::process::Command::new(env!("CARGO_BIN_EXE_picard-web"))
        .args(["migrate", "--env-file"])
        .arg(&path)
        .env_clear()
        .output()
        .await
        .expect("it runs");

    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM people").fetch_one(&pool).await.expect("a table");
    assert_eq!(tables, 0);
}

/// Starts the program itself on the house's database, logging everything it can into a file.
async fn talkative_program(house: &House, log: &std::path::Path) -> (tokio::process::Child, Browser) {
    use sqlx::ConnectOptions;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    drop(socket);
    let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_picard-web"))
        .env_clear()
        .envs([
            ("WEB_DATABASE_URL", house.pool.connect_options().to_url_lossy().as_str()),
            ("WEB_ENCRYPTION_KEYS", KEY),
            ("SERVER_URL", house.server.url()),
            ("CLIENT_ID", CLIENT_ID),
            ("CLIENT_SECRET", CLIENT_SECRET),
            ("WEB_ADDR", &address),
            ("RUST_LOG", "trace"),
        ])
        .stdout(fs::File::create(log).expect("a file"))
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let browser = Browser::at_address(&address);
    while !browser.answers().await {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    (program, browser)
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_log_has_neither_tokens_nor_addresses_nor_texts(pool: PgPool) {
    let house = House::open(pool).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (mut program, browser) = talkative_program(&house, &path).await;

    browser.get("/register").await;
    let fields = [("username", "ada"), ("email", "ada@canary.example"), ("password", "canary password")];
    browser.post("/register", &fields).await;
    browser.get("/connect").await;
    browser.post("/connect", &[]).await;
    let page = browser.write("canary text").await;
    browser.get("/search?q=canary+query").await;
    browser.post("/connections/disconnect", &[]).await;
    browser.post("/logout", &[]).await;
    browser.get("/login").await;
    browser.post("/login", &[("username", "ada"), ("password", "canary guess")]).await;
    program.kill().await.expect("it ends");

    let log = fs::read_to_string(path).expect("a log");
    let is_ours = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("every line is JSON");
        line["span"]["request.id"] == page.header("x-request-id")
            && line["http.response.status_code"] == 303
            && line["http.route"] == "/memories/new"
            && line["duration_ms"].is_f64()
    };
    assert!(log.lines().any(is_ours), "the request is found by its id");
    for event in ["registered", "connected", "disconnected", "signed_out", "sign_in_failed"] {
        assert_eq!(log.matches(&format!(r#""event":"{event}""#)).count(), 1, "OPS-04: {event}");
    }
    let mut secrets: Vec<String> = ["canary", CLIENT_SECRET, KEY].map(str::to_owned).into();
    secrets.extend(house.server.memo().issued.clone());
    secrets.extend(browser.cookies().into_values());
    for secret in secrets {
        assert_eq!(log.lines().find(|line| line.contains(&secret)), None, "{secret}");
    }
}
