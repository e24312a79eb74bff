//! `docs/citus.sql`, held against what Citus demands of tables that are spread over nodes, on a plain PostgreSQL: functions
//! with the names of Citus's write down what is spread, and the statements run on the tables as the script leaves them.

use std::collections::BTreeSet;

use picard_domain::Vector;
use picard_storage::memories::MemoryChange;
use sqlx::{AssertSqlSafe, PgPool};

use crate::kit::{account, memory, number, store, text, writer};

const SCRIPT: &str = include_str!("../../../../docs/citus.sql");

/// What Citus answers to, as far as the script asks.
const CITUS: &str = "
    CREATE TABLE spread (name regclass PRIMARY KEY, kind text NOT NULL);
    CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO spread VALUES (name, 'reference') $$;
    CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text DEFAULT 'default') RETURNS void
        LANGUAGE sql AS $$ INSERT INTO spread SELECT name, 'distributed' WHERE by = 'user_id' $$;";

async fn distributed(pool: &PgPool) {
    sqlx::raw_sql(CITUS).execute(pool).await.expect("functions");
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {SCRIPT} COMMIT;"))).execute(pool).await.expect("the script");
}

async fn lines(pool: &PgPool, statement: &'static str) -> Vec<String> {
    sqlx::query_scalar(statement).fetch_all(pool).await.expect("lines")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_script_leaves_what_citus_can_spread_by_person(pool: PgPool) {
    distributed(&pool).await;

    let keys_without_person = "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN spread s ON s.name = i.indrelid
        WHERE s.kind = 'distributed' AND (i.indisunique OR i.indisprimary) AND NOT EXISTS (
            SELECT 1 FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'user_id' AND a.attnum = ANY (i.indkey))";
    let may_lack_a_person =
        "SELECT s.name::text FROM spread s JOIN pg_attribute a ON a.attrelid = s.name AND a.attname = 'user_id'
        WHERE s.kind = 'distributed' AND NOT a.attnotnull";
    // Between spread tables the person has to stand at the same place on both sides; nothing else may name a spread table.
    let references = "SELECT c.conrelid::regclass || ': ' || pg_get_constraintdef(c.oid) FROM pg_constraint c
        JOIN spread there ON there.name = c.confrelid AND there.kind = 'distributed' LEFT JOIN spread here ON here.name = c.conrelid
        WHERE c.contype = 'f' AND (here.kind IS DISTINCT FROM 'distributed' OR NOT EXISTS (
            SELECT 1 FROM unnest(c.conkey, c.confkey) AS pair (here, there)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = pair.here AND a.attname = 'user_id'
            JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = pair.there AND b.attname = 'user_id'))";
    // A spread table may name one that is on all nodes, but none that is on the coordinator alone.
    let of_the_coordinator = "SELECT c.conrelid::regclass || ': ' || pg_get_constraintdef(c.oid) FROM pg_constraint c
        JOIN spread here ON here.name = c.conrelid LEFT JOIN spread there ON there.name = c.confrelid
        WHERE c.contype = 'f' AND there.name IS NULL";
    let triggers = "SELECT t.tgname::text FROM pg_trigger t JOIN spread s ON s.name = t.tgrelid
        WHERE s.kind = 'distributed' AND NOT t.tgisinternal";
    for statement in [keys_without_person, may_lack_a_person, references, of_the_coordinator, triggers] {
        assert_eq!(lines(&pool, statement).await, Vec::<String>::new(), "{statement}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_table_of_a_person_has_a_place(pool: PgPool) {
    distributed(&pool).await;

    let elsewhere = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id'
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.oid NOT IN (SELECT name FROM spread)";

    let on_the_coordinator = [
        // The log of acts has acts of nobody; nobody reads of deletions there.
        "audit_events",
        "memory_deletions",
        // Sessions, tokens and codes are short and asked for by their hashes.
        "authorization_codes",
        "authorization_requests",
        "consents",
        "grants",
        "mcp_sessions",
        "refresh_tokens",
        "revoked_access_tokens",
        "sessions",
    ];
    let found: BTreeSet<String> = lines(&pool, elsewhere).await.into_iter().collect();
    assert_eq!(found, on_the_coordinator.map(str::to_owned).into());
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn memories_live_and_die_on_the_tables_that_are_spread(pool: PgPool) {
    distributed(&pool).await;
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "tea at four").await;
    let change = MemoryChange { text: Some((text("cake at five"), Vec::new())), ..MemoryChange::default() };

    let version = store.update_memory(writer(ada), id, &change).await.expect("a memory").0.version;
    let vector = Vector::new(vec![1.0, 0.0]).expect("a vector");
    for _ in 0..2 {
        assert!(store.finish_embedding(id, version, "model", std::slice::from_ref(&vector), true).await.expect("an answer"));
    }
    for table in ["memory_words", "memory_embeddings", "memory_versions"] {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.expect("a number");
        assert_eq!(count, 1, "{table}");
    }
    store.delete_memory(ada, id, None).await.expect("it is gone");

    let left = "SELECT (SELECT count(*) FROM memory_words) + (SELECT count(*) FROM memory_embeddings)
        + (SELECT count(*) FROM memory_versions) + (SELECT count(*) FROM embedding_jobs)";
    assert_eq!(number(&pool, left).await, 0);
}
