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
