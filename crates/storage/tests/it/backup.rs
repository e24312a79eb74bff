//! What a backup leaves out is exactly what lets somebody in.

use picard_storage::backup::NOT_KEPT;
use sqlx::PgPool;

async fn names(pool: &PgPool, statement: &'static str) -> Vec<String> {
    sqlx::query_scalar(statement).fetch_all(pool).await.expect("names")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn tables_with_tokens_sessions_and_keys_of_tokens_are_left_out(pool: PgPool) {
    let tables =
        names(&pool, "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace").await;
    let statement = "SELECT DISTINCT table_name::text FROM information_schema.columns WHERE table_schema = 'public'
        AND column_name IN ('token_hash', 'code_hash', 'session_hash', 'id_hash', 'grant_id', 'private_key')";
    let secret = names(&pool, statement).await;

    for name in NOT_KEPT {
        assert!(tables.iter().any(|table| table == name), "FLT-27: there is no table {name}");
    }
    assert!(secret.len() >= 6, "{secret:?}");
    for table in secret {
        assert!(NOT_KEPT.contains(&table.as_str()), "FLT-27: a backup would hold {table}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nothing_that_is_kept_refers_to_what_is_left_out(pool: PgPool) {
    let statement = "SELECT conrelid::regclass::text || ' ' || confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'";
    for arrow in names(&pool, statement).await {
        let (from, to) = arrow.split_once(' ').expect("two names");
        assert!(NOT_KEPT.contains(&from) || !NOT_KEPT.contains(&to), "FLT-27: {from} refers to {to}, and could not be restored");
    }
}
