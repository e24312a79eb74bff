//! `picard-server check` says everything at once, changes nothing and shows no secret.

use picard_crypto::{ExposeSecret as _, FernetKey};
use sqlx::PgPool;

use crate::kit::process::run;
use crate::kit::{TestServer, database_url, number};

fn key() -> String {
    FernetKey::generate().encode().expose_secret().to_owned()
}

/// The arguments of a configuration whose provider is never asked.
fn arguments<'a>(database_url: &'a str, keys: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let common = ["--database-url", database_url, "--encryption-keys", keys, "--openai-api-key", "sk-very-secret"];
    common.into_iter().chain(more.iter().copied()).chain(["check"]).collect()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_configuration_that_works_is_told_so_and_its_weaknesses_are_named(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    server.sign_in("ada").await;

    let (is_done, said) = server.command(&["check"]).await;

    assert!(is_done && said.contains("The configuration works"), "{said}");
    for (setting, statement) in [("fsync", "SHOW fsync"), ("full_page_writes", "SHOW full_page_writes")] {
        let value: String = sqlx::query_scalar(statement).fetch_one(&pool).await.expect("a setting");
        assert_eq!(said.contains(&format!("{setting} is off there")), value == "off", "FLT-02 {said}");
    }
    let superuser = number(&pool, "SELECT rolsuper::integer::bigint FROM pg_roles WHERE rolname = current_user").await;
    assert_eq!(said.contains("the role is a superuser"), superuser == 1, "OPS-08 {said}");
    assert!(!said.contains(&server.key()) && !said.contains(&server.database_url), "OPS-02");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn everything_that_is_wrong_is_said_at_once(pool: PgPool) {
    let database_url = database_url(&pool);
    let (good, zeros) = (key(), "A".repeat(43) + "=");
    let keys = format!("{good},{zeros},{good}");
    let more = [
        "--environment=production",
        "--public-url=http://picard.example.org",
        "--server-addr=127.0.0.1:0",
        "--allowed-hosts=https://picard.example.org",
        "--allowed-origins=https://app.example.org/page,http://app.example.org",
        "--trusted-proxies=0.0.0.0/0",
        "--metrics-addr=0.0.0.0:9464",
        "--tool-limit-per-minute=0",
        "--openai-base-url=http://models.example.org/v1",
        "--embedding-model=nobody-knows-it",
        "--database-max-connections=500",
        "--otel-exporter-otlp-endpoint=nowhere",
    ];

    let (is_done, said) = run(&arguments(&database_url, &keys, &more)).await;

    assert!(!is_done, "OPS-01");
    for (id, part) in [
        ("OPS-01", "problem: PUBLIC_URL: must be an https URL in production"),
        ("OPS-01", "problem: ENCRYPTION_KEYS: key number 2 of the list was not made at random"),
        ("OPS-01", "problem: ENCRYPTION_KEYS: key number 3 of the list is the same as number 1"),
        ("OPS-12", "problem: ALLOWED_HOSTS: https://picard.example.org"),
        ("OPS-01", "problem: ALLOWED_ORIGINS: https://app.example.org/page"),
        ("OPS-01", "problem: ALLOWED_ORIGINS: http://app.example.org must be https"),
        ("OPS-12", "problem: TRUSTED_PROXIES"),
        ("OPS-07", "warning: METRICS_ADDR"),
        ("OPS-01", "warning: TOOL_LIMIT_PER_MINUTE"),
        ("OPS-01", "problem: OPENAI_BASE_URL"),
        ("OPS-01", "set EMBEDDING_DIMENSIONS"),
        ("OPS-01", "DATABASE_MAX_CONNECTIONS"),
        ("OPS-01", "problem: OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        assert!(said.contains(part), "{id}: {part} is missing in {said}");
    }
    for secret in [good.as_str(), zeros.as_str(), "sk-very-secret", database_url.as_str()] {
        assert!(!said.contains(secret), "OPS-01: values are never printed");
    }
    let (is_started, refusal) = run(&{
        let mut serving = arguments(&database_url, &keys, &more[..3]);
        serving.pop();
        serving.push("serve");
        serving
    })
    .await;
    assert!(!is_started && refusal.contains("key number 2") && refusal.contains("PUBLIC_URL"), "OPS-01: {refusal}");
}

#[tokio::test]
async fn a_database_that_is_away_is_named_without_its_password() {
    let url = "postgres://picard:hunter2@127.0.0.1:1/nothing";

    let (is_done, said) = run(&arguments(url, "no key", &["--public-url=ftp://picard.example.org"])).await;

    assert!(!is_done && said.contains("127.0.0.1:1/nothing cannot be used"), "FLT-03 {said}");
    assert!(said.contains("ENCRYPTION_KEYS: key number 1") && said.contains("PUBLIC_URL"), "OPS-01: all at once: {said}");
    assert!(!said.contains("hunter2") && !said.contains("no key"), "OPS-02 {said}");
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_is_left_empty(pool: PgPool) {
    let (is_done, said) = run(&arguments(&database_url(&pool), &key(), &[])).await;

    assert!(is_done && said.contains("migrations are still to be applied"), "OPS-05 {said}");
    assert_eq!(
        number(&pool, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'").await,
        0
    );
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn schemas_and_keys_that_do_not_fit_are_named(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.publish(&ada, "Vaults are heavy.").await;
    let used = FernetKey::parse(&server.key()).expect("a key").fingerprint();

    let (is_done, said) = server.command(&["--encryption-keys", &key(), "check"]).await;

    assert!(!is_done && said.contains(&used) && said.contains("the signing key"), "ENC-06 {said}");
    assert!(said.contains("the key of words"), "ENC-06 {said}");
    let both = format!("{},{}", key(), server.key());
    let (is_done, said) = server.command(&["--encryption-keys", &both, "check"]).await;
    assert!(is_done && said.contains("rotate-keys"), "ENC-03 {said}");

    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '', 0);
         UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1; UPDATE _sqlx_migrations SET success = false WHERE version = 2",
    )
    .execute(&pool)
    .await
    .expect("another program's migrations");
    let (is_done, said) = server.command(&["check"]).await;
    assert!(!is_done && said.contains("is newer than this program") && said.contains("(9999)"), "OPS-05 {said}");
    assert!(said.contains("(0001)") && said.contains("was not finished") && said.contains("(0002)"), "OPS-05 {said}");
}
