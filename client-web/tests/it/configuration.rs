//! Configurations that must not start, and what is said about them.

use clap::Parser;
use picard_web::{Config, StartError};
use sqlx::PgPool;

use crate::kit::{KEY, config};

async fn refusal(arguments: &[&str]) -> String {
    let base = ["picard-web", "--web-addr=127.0.0.1:0", "--web-database-url=postgres://nobody:hunter22@127.0.0.1:1/none"];
    let config = Config::try_parse_from(base.iter().chain(arguments)).expect("it parses");
    match picard_web::start(config).await {
        Err(error @ StartError::Config(_)) => error.to_string(),
        other => panic!("it should refuse: {other:?}"),
    }
}

#[tokio::test]
async fn production_names_everything_that_is_missing_and_no_value() {
    let text = refusal(&[
        "--environment=production",
        "--web-public-url=http://web.example",
        "--client-id=some-client",
        "--client-secret=too-short",
        "--web-encryption-keys=c2hvcnQ=",
        "--server-url=ftp://server.example",
    ])
    .await;

    for name in ["WEB_PUBLIC_URL", "CLIENT_SECRET", "WEB_ENCRYPTION_KEYS", "SERVER_URL"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    for value in ["too-short", "c2hvcnQ", "hunter22", "web.example"] {
        assert!(!text.contains(value), "{value}: {text}");
    }
    assert!(refusal(&["--environment=production"]).await.contains("WEB_PUBLIC_URL is not set"));
}

#[tokio::test]
async fn production_refuses_what_stands_in_examples_and_tells_all_of_it_at_once_ops_01() {
    let key = format!("--web-encryption-keys={KEY}");
    let text = refusal(&[
        "--environment=production",
        "--web-database-url=postgres://picard_web:PASSWORD@127.0.0.1:1/none",
        &key,
        "--client-secret=too-short",
        "--server-public-url=http://server.example",
        "--trusted-proxies=10.0.0.0/8,my-proxy",
    ])
    .await;

    let named = ["WEB_DATABASE_URL", "WEB_PUBLIC_URL", "WEB_ENCRYPTION_KEYS", "SERVER_PUBLIC_URL", "TRUSTED_PROXIES: my-proxy"];
    for name in named.iter().chain(&["CLIENT_SECRET is shorter", "CLIENT_ID is not set"]) {
        assert!(text.contains(name), "OPS-01: {name}: {text}");
    }
    assert!(!text.contains("PASSWORD@") && !text.contains("too-short") && !text.contains(KEY), "OPS-01: {text}");
}

#[sqlx::test(migrations = false)]
async fn a_database_that_comes_late_is_waited_for_flt_03(pool: PgPool) {
    use sqlx::ConnectOptions;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let late = socket.local_addr().expect("an address");
    drop(socket);
    let options = (*pool.connect_options()).clone();
    let behind = format!("{}:{}", options.get_host(), options.get_port());
    let url = options.host("127.0.0.1").port(late.port()).to_url_lossy().to_string();
    let door = async {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        let listener = tokio::net::TcpListener::bind(late).await.expect("the port is free");
        loop {
            let (mut here, _) = listener.accept().await.expect("somebody comes");
            let behind = behind.clone();
            tokio::spawn(async move {
                let mut there = tokio::net::TcpStream::connect(behind).await.expect("PostgreSQL answers");
                // Either side may hang up.
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    };
    let config = config(&pool, "http://127.0.0.1:1", &[&format!("--web-database-url={url}")]);

    let started = tokio::select! {
        started = picard_web::start(config) => started.expect("FLT-03: it starts when the database is there"),
        () = door => unreachable!("the door stays open"),
    };

    drop(started);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_statement_that_waits_for_ever_is_over_soon_ops_08(pool: PgPool) {
    let house = crate::kit::House::open(pool).await;
    let browser = house.member("ada").await;
    let mut transaction = house.pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE people IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.expect("a lock");

    let page = tokio::time::timeout(std::time::Duration::from_secs(15), browser.get("/connections")).await;

    let page = page.expect("OPS-08: it does not wait for ever");
    assert_eq!(page.status, http::StatusCode::SERVICE_UNAVAILABLE, "{}", page.body);
    transaction.rollback().await.expect("the lock ends");
    assert_eq!(browser.get("/connections").await.status, http::StatusCode::OK);
}

#[tokio::test]
async fn without_a_key_it_refuses_and_says_how_to_make_one() {
    let text = refusal(&["--web-encryption-keys="]).await;
    assert!(text.contains("WEB_ENCRYPTION_KEYS is not set") && text.contains("openssl rand"), "{text}");

    let trivial = format!("{KEY},AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert!(refusal(&[&format!("--web-encryption-keys={trivial}")]).await.contains("anybody could guess"));
}

#[tokio::test]
async fn half_a_pair_of_credentials_is_a_mistake() {
    let key = format!("--web-encryption-keys={KEY}");
    assert!(refusal(&[&key, "--client-id=x", "--client-secret="]).await.contains("CLIENT_SECRET is not set"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_is_printed_of_a_configuration_has_no_secret(pool: PgPool) {
    let config = config(&pool, "http://127.0.0.1:1", &["--web-database-url=postgres://picard:hunter22@db/web"]);

    let printed = format!("{config:?}");

    for secret in ["hunter22", KEY, crate::kit::CLIENT_SECRET] {
        assert!(!printed.contains(secret));
    }
}

#[sqlx::test(migrations = false)]
async fn replicas_that_start_together_migrate_once(pool: PgPool) {
    let starts = (0..4).map(|_| picard_web::start(config(&pool, "http://127.0.0.1:1", &[])));

    for started in futures_util::future::join_all(starts).await {
        started.expect("it starts").stop().await.expect("it stops");
    }
}
