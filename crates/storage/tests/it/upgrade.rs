//! A database that an earlier version has filled is brought up to date and loses nothing.

use std::collections::BTreeMap;

use picard_crypto::{DataKey, FernetKey, KeyRing, TextBinding, hash_token, seal_text};
use picard_domain::{Clock, MemoryId, Reach, UserId};
use picard_storage::{MIGRATOR, Store};
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::kit::{new_memory, number, tomorrow, writer};

const ADA: Uuid = Uuid::from_u128(1);
const MEMORY: Uuid = Uuid::from_u128(10);
const TEXT: &str = "I like my tea, Earl Grey, hot.";
const REFRESH_TOKEN: &str = "a refresh token";

/// Rows of every table as they were written when the migration of this number was the last: those of earlier ones stand before.
const ROWS: [(i64, &str); 7] = [
    (
        1,
        "INSERT INTO clients (id, name, redirect_uris, scopes) VALUES ({client}, 'App', '{https://app.example.com/cb}', '{memories:read}');
         INSERT INTO users (id, username, username_key, email, email_key, password_hash, data_key) VALUES
             ({ada}, 'Ada', 'ada', 'ada@example.org', 'ada@example.org', 'a hash', {data_key}),
             ({eve}, 'Eve', 'eve', NULL, NULL, NULL, {other_key});
         INSERT INTO grants (id, user_id, client_id, scopes, audience, expires_at)
             VALUES ({grant}, {ada}, {client}, '{memories:read}', 'http://127.0.0.1', now() + interval '30 days');
         INSERT INTO refresh_tokens (token_hash, grant_id, user_id, expires_at)
             VALUES (sha256('a refresh token'), {grant}, {ada}, now() + interval '7 days');
         INSERT INTO revoked_access_tokens VALUES (gen_random_uuid(), {ada}, now());
         INSERT INTO signing_keys (kid, public_jwk, private_key) VALUES ('kid', '{}', 'sealed');
         INSERT INTO memories (id, user_id, ciphertext, permission, tags, category, created_at, updated_at)
             VALUES ({memory}, {ada}, {ciphertext}, 'public', '{tea,drinks}', 'habits', now(), now());
         INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding) VALUES
             ({memory}, {ada}, 'short', 0, '[1,2,3]'),
             ({memory}, {ada}, 'long', 0, (SELECT array_agg(n::real) FROM generate_series(1, 600) n)::halfvec);
         INSERT INTO embedding_jobs (memory_id, user_id) VALUES ({memory}, {ada});",
    ),
    (
        2,
        "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES (sha256('cookie'), {ada}, now() + interval '14 days');
         INSERT INTO authorization_requests VALUES (gen_random_uuid(), sha256('cookie'), {ada}, {client}, 'https://app.example.com/cb',
             true, '{memories:read}', 'state', repeat('c', 43), 'http://127.0.0.1', now());
         INSERT INTO authorization_codes (code_hash, user_id, client_id, redirect_uri, redirect_uri_given, scopes, code_challenge, audience, expires_at)
             VALUES (sha256('code'), {ada}, {client}, 'https://app.example.com/cb', true, '{memories:read}', repeat('c', 43), 'http://127.0.0.1', now());
         INSERT INTO consents (user_id, client_id, redirect_host, scopes) VALUES ({ada}, {client}, 'app.example.com', '{memories:read}');
         INSERT INTO rate_limits VALUES (sha256('subject'), 3, now(), now() + interval '1 minute');
         INSERT INTO audit_events (id, event, user_id) VALUES (gen_random_uuid(), 'signed_in', {ada});",
    ),
    (
        3,
        "INSERT INTO groups (id, user_id, name) VALUES ({group}, {ada}, 'Friends');
         INSERT INTO group_members (group_id, user_id) VALUES ({group}, {eve});",
    ),
    (
        4,
        "INSERT INTO memory_shared_users VALUES ({memory}, {ada}, {eve}, 0);
         INSERT INTO memory_shared_groups VALUES ({memory}, {ada}, {group}, 0);
         INSERT INTO memory_versions VALUES ({memory}, {ada}, 1, {ciphertext}, 1, 'private', '{}', NULL, NULL, NULL, now());
         INSERT INTO memory_words VALUES ({memory}, {ada}, 2, '{1,2}', '{1,1}', '{3,4}');
         INSERT INTO deployment_keys (name, wrapped_key) VALUES ('other', 'sealed');
         INSERT INTO idempotency_keys VALUES ({ada}, sha256('key'), sha256('request'), 'sealed', now());
         INSERT INTO imports (id, user_id, client_id, stops, status) VALUES ({import}, {ada}, {client}, false, 'done');
         INSERT INTO import_rows VALUES ({import}, {ada}, 1, 'sealed');",
    ),
    (5, "INSERT INTO mcp_sessions (id_hash, user_id, initialize) VALUES (sha256('session'), {ada}, '{\"capabilities\": {}}');"),
    (
        6,
        "INSERT INTO personas (id, user_id, name, description, instructions, tags, top_n, is_public)
             VALUES (gen_random_uuid(), {ada}, 'Tea', '', 'sealed', '{tea}', 10, true);
         INSERT INTO persona_blocks (user_id, asker_id) VALUES ({ada}, {eve});
         INSERT INTO persona_limits VALUES ({ada}, 100);
         INSERT INTO persona_questions (id, user_id, asker_id, client_id, mode, model, memory_ids, input_tokens, output_tokens)
             VALUES (gen_random_uuid(), {ada}, {eve}, {client}, 'extractive', 'none', '{}', 1, 2);",
    ),
    (7, "INSERT INTO memory_deletions (user_id, memory_id) VALUES ({ada}, gen_random_uuid());"),
];

/// Tables that a later migration gives up: limits begin anew.
const GIVEN_UP: [&str; 1] = ["sign_in_failures"];

/// An empty database, brought to this version and filled.
async fn filled(pool: &PgPool, version: i64, keys: &KeyRing) {
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(pool).await.expect("an empty database");
    let until = MIGRATOR.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator::with_migrations(until).run(pool).await.expect("the schema of an earlier version");
    let key = DataKey::generate();
    let binding = TextBinding { memory_id: *MEMORY.as_bytes(), owner_id: *ADA.as_bytes(), version: 1 };
    let eve = Uuid::from_u128(2);
    let known = [
        ("ada", ADA.to_string()),
        ("eve", eve.to_string()),
        ("client", Uuid::from_u128(3).to_string()),
        ("grant", Uuid::from_u128(4).to_string()),
        ("group", Uuid::from_u128(5).to_string()),
        ("import", Uuid::from_u128(6).to_string()),
        ("memory", MEMORY.to_string()),
        ("data_key", key.wrap(keys, *ADA.as_bytes(), 1)),
        ("other_key", DataKey::generate().wrap(keys, *eve.as_bytes(), 1)),
        ("ciphertext", seal_text(&key, &binding, TEXT, 1)),
    ];
    for (_, statements) in ROWS.iter().filter(|(since, _)| *since <= version) {
        let text = known
            .iter()
            .fold((*statements).to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &format!("'{value}'")));
        sqlx::raw_sql(AssertSqlSafe(text)).execute(pool).await.expect("rows of an earlier version");
    }
}

/// Every row of every table.
async fn rows(pool: &PgPool) -> BTreeMap<String, Vec<Value>> {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await.expect("the tables");
    let mut rows = BTreeMap::new();
    for table in tables {
        let statement = format!("SELECT to_jsonb(t) FROM {table} t");
        rows.insert(table, sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(pool).await.expect("the rows"));
    }
    rows
}

/// Whether a row is the other one with columns besides.
fn continues(after: &Value, before: &Value) -> bool {
    before.as_object().is_some_and(|before| before.iter().all(|(column, value)| after.get(column) == Some(value)))
}

#[sqlx::test(migrations = false)]
async fn what_earlier_versions_have_written_is_there_and_readable_after_an_upgrade_ops_05(pool: PgPool) {
    let keys = std::sync::Arc::new(KeyRing::new(vec![FernetKey::generate()]).expect("a key ring"));
    let head = MIGRATOR.iter().map(|migration| migration.version).max().expect("migrations");
    for version in 1..head {
        // Types that are made anew have other numbers, which connections remember.
        let pool = PgPool::connect_with((*pool.connect_options()).clone()).await.expect("new connections");
        filled(&pool, version, &keys).await;
        let before = rows(&pool).await;

        MIGRATOR.run(&pool).await.expect("an upgrade");

        let after = rows(&pool).await;
        for (table, rows) in before.iter().filter(|(table, _)| !GIVEN_UP.contains(&table.as_str())) {
            assert!(!rows.is_empty(), "{table} is empty at version {version}: add a row of it to ROWS");
            let later = after.get(table).unwrap_or_else(|| panic!("OPS-05: {version}: {table} is gone"));
            assert_eq!(later.len(), rows.len(), "OPS-05: {version}: rows of {table}");
            for row in rows {
                assert!(later.iter().any(|later| continues(later, row)), "OPS-05: {version}: {table} has lost {row}");
            }
        }
        read_and_write(&Store::new(pool.clone(), keys.clone(), Clock::system()), version).await;
        if version < 4 {
            is_worked_out(&pool, version).await;
        }
        pool.close().await;
    }
}

/// What the fourth migration makes of embeddings that were there.
async fn is_worked_out(pool: &PgPool, version: i64) {
    let public = number(pool, "SELECT count(*) FROM memory_embeddings WHERE is_public").await;
    let with_signs = number(pool, "SELECT count(*) FROM memory_embeddings WHERE bits IS NOT NULL").await;
    assert_eq!((public, with_signs), (2, 1), "OPS-05: {version}: as the memory is; of the long one");
}

/// What a server does with such a database.
async fn read_and_write(store: &Store, version: i64) {
    let ada = UserId(ADA);
    let memory = store.memory(Reach::Own(ada), MemoryId(MEMORY)).await.expect("an answer").expect("the memory");
    assert_eq!((memory.text.as_str(), memory.tags.len()), (TEXT, 2), "OPS-05: {version}");
    let account = store.account_by_username("ada").await.expect("an answer").expect("the account");
    assert_eq!(account.id, ada, "OPS-05: {version}");
    let rotated = store.rotate_refresh_token(&hash_token(REFRESH_TOKEN), &hash_token("next"), tomorrow()).await;
    assert!(rotated.expect("an answer"), "OPS-05: {version}: people stay connected");
    store.create_memories(writer(ada), &[new_memory("written afterwards")], drop).await.expect("a new memory");
}
