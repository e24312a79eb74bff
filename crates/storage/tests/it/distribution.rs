//! `docs/citus.sql`, held against what Citus demands of tables that are spread over nodes, on a plain PostgreSQL: functions
//! with the names of Citus's write down what is spread, and the statements run on the tables as the script leaves them.

use std::collections::BTreeSet;

use picard_domain::Vector;
use picard_storage::memories::MemoryChange;
use sqlx::{AssertSqlSafe, PgPool};

use crate::kit::{account, memory, number, store, text, version_of, writer};

const SCRIPT: &str = include_str!("../../../../docs/citus.sql");

/// What Citus answers to, as far as the script asks.
const CITUS: &str = "
    CREATE TABLE spread (name regclass PRIMARY KEY, kind text NOT NULL);
    CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO spread VALUES (name, 'reference') $$;
    CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text DEFAULT 'default') RETURNS void
        LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND (c.confrelid = $1
                       OR c.conrelid = $1 AND c.confrelid NOT IN (SELECT s.name FROM spread s))) THEN
                RAISE 'a key from or to % is made before both tables are spread', $1;
            END IF;
            INSERT INTO spread SELECT $1, 'distributed' WHERE by = 'user_id';
        END $$;";

/// Tables that are spread by person.
const SPREAD: [&str; 14] = [
    "embedding_jobs",
    "idempotency_keys",
    "import_rows",
    "imports",
    "memories",
    "memory_embeddings",
    "memory_shared_groups",
    "memory_shared_users",
    "memory_versions",
    "memory_words",
    "persona_blocks",
    "persona_limits",
    "persona_questions",
    "personas",
];

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
        let finish = store.finish_embedding(version_of(ada, id, version), "model", std::slice::from_ref(&vector), true);
        assert!(finish.await.expect("an answer"));
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

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_list_of_spread_tables_is_that_of_the_script(pool: PgPool) {
    distributed(&pool).await;

    let spread = "SELECT name::text FROM spread WHERE kind = 'distributed' ORDER BY name::text COLLATE \"C\"";
    assert_eq!(lines(&pool, spread).await, SPREAD);
}

/// Every statement of this crate that names a table: those that are checked by the compiler and those put together.
fn statements() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(format!("{root}/.sqlx")).expect("the checked statements") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a statement");
        let described: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        statements.push(described["query"].as_str().expect("a query").to_owned());
    }
    statements
}

/// The words of a statement, brackets and commas aside.
fn words(statement: &str) -> Vec<&str> {
    statement
        .split(|character: char| character.is_whitespace() || "(),;".contains(character))
        .filter(|word| !word.is_empty())
        .collect()
}

/// The names under which a statement speaks of spread tables; the table's own where it has no other.
fn names_of_spread_tables(statement: &str) -> Vec<&str> {
    const AFTER_A_TABLE: [&str; 16] = [
        "WHERE",
        "SET",
        "SELECT",
        "VALUES",
        "ON",
        "GROUP",
        "ORDER",
        "UNION",
        "LIMIT",
        "USING",
        "CROSS",
        "LEFT",
        "JOIN",
        "RETURNING",
        "FOR",
        "THEN",
    ];
    let words = words(statement);
    let mut names = Vec::new();
    for (place, pair) in words.windows(2).enumerate() {
        if !["FROM", "JOIN", "UPDATE", "INTO", "USING"].contains(&pair[0]) || !SPREAD.contains(&pair[1]) {
            continue;
        }
        let mut after = words[place + 2..].iter().copied().skip_while(|word| *word == "AS");
        let is_name = |word: &&str| !AFTER_A_TABLE.contains(word) && pair[0] != "INTO" && word.chars().all(char::is_alphabetic);
        names.push(after.next().filter(is_name).unwrap_or(pair[1]));
    }
    names
}

#[test]
fn a_statement_that_speaks_of_two_spread_tables_names_the_person_of_each() {
    // Figures of the deployment, and what is purged: of every table by itself.
    let speaks_of_each_alone =
        |statement: &str| ["self_registered_clients", "revoked_access_tokens"].iter().any(|word| statement.contains(word));
    let joins: Vec<String> = statements()
        .into_iter()
        .filter(|statement| names_of_spread_tables(statement).len() > 1 && !speaks_of_each_alone(statement))
        .collect();
    assert!(joins.len() > 15, "only {} were found", joins.len());

    for statement in joins {
        let names = names_of_spread_tables(&statement);
        let aliases: BTreeSet<&str> = names.iter().copied().filter(|name| !SPREAD.contains(name)).collect();
        for alias in &aliases {
            assert!(statement.contains(&format!("{alias}.user_id")), "{alias} has no person in: {statement}");
        }
        let bare = names.iter().filter(|name| SPREAD.contains(name)).count();
        let people = words(&statement).iter().filter(|word| **word == "user_id").count();
        assert!(people >= bare, "{bare} tables and {people} people in: {statement}");
    }
}

/// Rows can be held at one node only, and what a conflict sets may not depend on the time at the node.
#[test]
fn no_statement_asks_for_what_citus_refuses() {
    let all = statements();
    assert!(all.len() > 150, "only {} were found", all.len());
    for statement in all.iter().filter(|statement| !names_of_spread_tables(statement).is_empty()) {
        let holds =
            [" FOR UPDATE", " FOR NO KEY UPDATE", " FOR KEY SHARE", " FOR SHARE"].iter().any(|lock| statement.contains(lock));
        assert!(!holds || statement.contains("user_id = $"), "rows of everybody are held by: {statement}");
        let conflict = statement.split_once("DO UPDATE").map_or("", |(_, conflict)| conflict);
        assert!(!conflict.contains("now()"), "a conflict that sets the time: {statement}");
        // A part that a parameter turns off turns off the whole.
        let all_words = words(statement);
        let is_switch =
            |at: &[&str]| ["AND", "WHERE"].contains(&at[0]) && at[1].starts_with('$') && ["AND", "OR"].contains(&at[2]);
        assert!(!all_words.windows(3).any(is_switch), "a switch: {statement}");
        // Rows of different shards may have the same one.
        assert!(!all_words.contains(&"ctid"), "rows named by their place: {statement}");
    }
}

/// Statements that are put together are not among those above: there every join says whose rows belong together.
#[test]
fn every_join_in_the_source_names_the_person() {
    let mut count = 0;
    for folder in ["src", "src/memories", "src/search_index"] {
        for entry in std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).expect("the source") {
            let path = entry.expect("an entry").path();
            let source = if path.is_file() { std::fs::read_to_string(&path).expect("text") } else { String::new() };
            for table in SPREAD {
                for (place, _) in source.match_indices(&format!("JOIN {table} ")) {
                    count += 1;
                    let join: String = source[place..].chars().take(120).collect();
                    assert!(join.contains("user_id") || join.contains("push_reach"), "{}: {join}", path.display());
                }
            }
        }
    }
    assert!(count > 10, "only {count} were found");
}
