//! The program as an operator uses it: administrators, env files, and what it says when it cannot start.

use std::time::{Duration, Instant};

use picard_crypto::{ExposeSecret as _, FernetKey};
use reqwest::StatusCode;
use sqlx::PgPool;

use crate::kit::process::{run, run_with};
use crate::kit::{ADMIN, TestServer, number};

const GOOD: &str = "seven unrelated stones";

async fn administrators(pool: &PgPool) -> i64 {
    number(pool, "SELECT count(*) FROM users WHERE is_superuser").await
}

/// Whether an administrator's password opens what is theirs.
async fn is_let_in(server: &TestServer, name: &str, password: &str) -> bool {
    let request = server.get("/api/admin/stats").basic_auth(name, Some(password));
    request.send().await.expect("an answer").status() == StatusCode::OK
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_administrator_is_made_once_and_keeps_their_password_ops_09(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let command = server.arguments(&["create-admin", "--username", "picard"]);

    let (is_done, said) = run_with(&command, &[("ADMIN_PASSWORD", GOOD)], "").await;
    let (is_done_again, said_again) = run_with(&command, &[], "another good password\n").await;

    assert!(is_done && said.contains("was created"), "OPS-09 {said}");
    assert!(is_done_again && said_again.contains("is there already; nothing was changed"), "OPS-09 {said_again}");
    assert_eq!(administrators(&pool).await, 2, "with that of the kit");
    assert!(is_let_in(&server, "picard", GOOD).await, "OPS-09");
    assert!(!is_let_in(&server, "picard", "another good password").await, "OPS-09: nothing is replaced silently");
    assert!(!said.contains(GOOD) && !said_again.contains("another good"), "OPS-02");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_password_that_everybody_tries_first_is_refused_ops_01_ops_09(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let command = server.arguments(&["create-admin", "--username", "administrator"]);

    for weak in ["changeme", "password", "Administrator", "short", "ChangeMe"] {
        let (is_done, said) = run_with(&command, &[("ADMIN_PASSWORD", weak)], "").await;
        assert!(!is_done && said.contains("password"), "OPS-09 {weak}: {said}");
    }
    let (is_done, said) = run_with(&command, &[("ADMIN_PASSWORD", "")], "").await;
    assert!(!is_done && said.contains("set ADMIN_PASSWORD"), "OPS-09: {said}");
    let (is_done, said) = run_with(&[&command[..], &["--password".to_owned(), GOOD.to_owned()]].concat(), &[], "").await;
    assert!(!is_done && said.contains("--password"), "OPS-09: never among the arguments, which others can see: {said}");
    assert_eq!(administrators(&pool).await, 1, "OPS-09");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn somebodys_account_does_not_become_an_administrators_ops_09(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    server.sign_in("ada").await;
    let by_name = server.arguments(&["create-admin", "--username", "ADA"]);
    let by_address = server.arguments(&["create-admin", "--username", "other", "--email", "Root@example.org"]);

    for command in [by_name, by_address] {
        let (is_done, said) = run_with(&command, &[("ADMIN_PASSWORD", GOOD)], "").await;
        assert!(!is_done, "OPS-09 {said}");
    }

    assert_eq!(administrators(&pool).await, 1, "OPS-09");
    assert_eq!(number(&pool, "SELECT count(*) FROM users").await, 2);
    assert!(is_let_in(&server, ADMIN.0, ADMIN.1).await, "OPS-09");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_not_shown_ops_02() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("server.env");
    for text in [
        "DATABASE_URL=postgres://picard:hunter22@db/picard?options=a b\n",
        "DATABASE_URL='postgres://picard:hunter22@db/picard\n",
        "hunter22\n",
    ] {
        std::fs::write(&file, text).expect("a file");

        let (is_done, said) = run(&["--env-file", file.to_str().expect("a path"), "check"]).await;

        assert!(!is_done && said.contains("server.env cannot be read"), "{said}");
        assert!(!said.contains("hunter22"), "OPS-02: {said}");
    }
    let (_, said) = run(&["--env-file", "/no/such/file", "check"]).await;
    assert!(said.contains("/no/such/file cannot be read") && said.contains("No such file"), "{said}");
}

#[tokio::test]
async fn everything_that_is_missing_is_said_at_once_ops_01() {
    for command in ["serve", "check"] {
        let variables = [("ENVIRONMENT", "production"), ("DATABASE_URL", ""), ("TRUSTED_PROXIES", "nonsense")];

        let (is_done, said) = run_with(&[command], &variables, "").await;

        assert!(!is_done, "OPS-01");
        for name in
            ["DATABASE_URL: is not set", "ENCRYPTION_KEYS: is not set", "EMBEDDING_MODEL_DIR", "PUBLIC_URL", "TRUSTED_PROXIES"]
        {
            assert!(said.contains(name), "OPS-01 {command}: {name} is missing in {said}");
        }
    }
}

#[tokio::test]
async fn a_server_without_a_database_waits_for_a_while_and_names_it_flt_03() {
    let key = FernetKey::generate().encode();
    let variables = [
        ("DATABASE_URL", "postgres://picard:hunter22@127.0.0.1:1/nothing"),
        ("ENCRYPTION_KEYS", key.expose_secret()),
        ("OPENAI_API_KEY", "sk-very-secret"),
        ("SERVER_ADDR", "127.0.0.1:0"),
    ];
    let began = Instant::now();

    let (is_done, said) = run_with(&["serve"], &variables, "").await;

    let took = began.elapsed();
    assert!(!is_done && said.contains("127.0.0.1:1/nothing"), "FLT-03: {said}");
    assert!(said.contains("Waiting for the database."), "FLT-03: {said}");
    assert!((Duration::from_secs(20)..Duration::from_secs(35)).contains(&took), "FLT-03: {took:?}");
    for secret in ["hunter22", key.expose_secret(), "sk-very-secret"] {
        assert!(!said.contains(secret), "FLT-03, OPS-02");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_program_older_than_the_schema_does_not_start_ops_05(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '', 0)";
    sqlx::query(later).execute(&pool).await.expect("another program's migration");

    let (is_done, said) = server.command(&["serve"]).await;

    assert!(!is_done && said.contains("9999"), "OPS-05: {said}");
    assert_eq!(number(&pool, "SELECT max(version) FROM _sqlx_migrations").await, 9999, "OPS-05: nothing was changed");
}
