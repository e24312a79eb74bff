//! The schema: brought up to date by any number of processes at once, from nothing or from itself.

use futures_util::future::join_all;
use picard_crypto::SecretString;
use picard_storage::{DatabaseSettings, MIGRATOR, Store};
use sqlx::PgPool;

use crate::kit::number;

#[expect(clippy::disallowed_methods, reason = "sqlx::test reads the same variable")]
fn settings(pool: &PgPool) -> DatabaseSettings {
    let cluster = std::env::var("DATABASE_URL").expect("DATABASE_URL names the cluster for tests");
    let (server, _) = cluster.rsplit_once('/').expect("a URL with a database");
    let options = pool.connect_options();
    let url = format!("{server}/{}", options.get_database().expect("a database"));
    DatabaseSettings { url: SecretString::from(url), max_connections: 1 }
}

const APPLIED: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";

#[sqlx::test(migrations = false)]
async fn processes_that_start_at_once_migrate_once(pool: PgPool) {
    let settings = settings(&pool);

    let outcomes = join_all((0..5).map(|_| Store::migrate(&settings))).await;

    assert!(outcomes.iter().all(Result::is_ok), "OPS-05 {outcomes:?}");
    let expected = i64::try_from(MIGRATOR.iter().count()).expect("a number");
    assert_eq!(number(&pool, APPLIED).await, expected, "OPS-05");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_second_migration_changes_nothing(pool: PgPool) {
    let before = number(&pool, APPLIED).await;

    for _ in 0..2 {
        Store::migrate(&settings(&pool)).await.expect("nothing to do");
    }

    assert_eq!(number(&pool, APPLIED).await, before, "OPS-05");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_table_of_a_person_carries_the_persons_id(pool: PgPool) {
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind = 'r'
           AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'user_id') ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .expect("the tables");

    assert_eq!(without, ["_sqlx_migrations", "clients", "deployment_keys", "rate_limits", "signing_keys", "users"]);
}
