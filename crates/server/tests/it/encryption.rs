//! What lies in the database: no text, no secret, no token; and rows that were tampered with are not served.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::kit::{ADMIN, TestServer, ids, number, word};

/// Everything in every table, as text.
async fn dump(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(pool)
        .await
        .expect("the tables");
    assert!(tables.len() >= 9, "{tables:?}");
    let mut dump = String::new();
    for table in tables {
        let statement = format!("SELECT coalesce(string_agg(row_to_json(t)::text, E'\\n'), '') FROM \"{table}\" t");
        dump += &sqlx::query_scalar::<_, String>(AssertSqlSafe(statement)).fetch_one(pool).await.expect("the rows");
        dump.push('\n');
    }
    dump
}

/// The text as it is, as bytea shows it, and as base64 shows it at any offset.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    let mut forms = vec![secret.to_owned(), secret.bytes().map(|byte| format!("{byte:02x}")).collect()];
    for offset in 0..3 {
        let shifted = base64::engine::general_purpose::STANDARD_NO_PAD.encode(format!("{}{secret}", "x".repeat(offset)));
        forms.push(shifted[4..shifted.len() - 4].to_owned());
    }
    forms
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn no_text_and_no_secret_lies_in_the_database(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let mut secrets = Vec::new();
    for number in 0..20 {
        let canary = format!("canary{number}x{}", uuid::Uuid::new_v4().simple());
        let id = server.remember(&ada, &format!("The word is {canary}.")).await;
        let second = format!("changed{canary}");
        server.call(&ada, "update_memory", json!({ "memory_id": id, "text": second, "permission": "public" })).await;
        server.call(&ada, "query_memory", json!({ "query": canary })).await;
        server.try_call(&ada, "submit_memory", json!({ "text": canary, "expiration_date": "2020-01-01T00:00:00Z" })).await;
        secrets.extend([canary, second]);
    }
    let renewed: Value = server.refresh(&ada.refresh_token).await.json().await.expect("JSON");
    let (public, _) = server.register_client("Public", false).await;
    let (other, other_secret) = server.register_client("Other", true).await;
    secrets.extend([
        ada.token.clone(),
        ada.refresh_token.clone(),
        word(&renewed["access_token"]),
        word(&renewed["refresh_token"]),
    ]);
    secrets.extend([server.client_secret.clone(), other_secret, server.key(), ADMIN.1.to_owned()]);

    let dump = dump(&pool).await;

    for present in [&ada.user_id, &public, &other, &server.client_id] {
        assert!(dump.contains(present.as_str()), "the dump shows what is there: {present}");
    }
    for secret in secrets {
        for form in forms(&secret) {
            assert!(!dump.contains(&form), "ENC-01, REF-10: {secret}");
        }
    }
    let tokens: Vec<String> = sqlx::query_scalar("SELECT ciphertext FROM memories").fetch_all(&pool).await.expect("rows");
    assert!(tokens.len() == 20 && tokens.iter().all(|token| token.starts_with("gAAAA")), "ENC-02: Fernet tokens");
    let hash: String =
        sqlx::query_scalar("SELECT password_hash FROM users WHERE is_superuser").fetch_one(&pool).await.expect("a hash");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn one_text_twice_is_two_different_ciphertexts(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for _ in 0..2 {
        server.remember(&ada, "the same").await;
    }

    assert_eq!(number(&pool, "SELECT count(DISTINCT ciphertext) FROM memories").await, 2, "ENC-03");
    assert_eq!(number(&pool, "SELECT count(DISTINCT data_key) FROM users").await, 2, "everybody has a key of their own");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn swapped_rows_are_not_served(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let swap = async |a: &str, b: &str| {
        let statement = "UPDATE memories m SET ciphertext = o.ciphertext FROM memories o
            WHERE (m.id = $1::uuid AND o.id = $2::uuid) OR (m.id = $2::uuid AND o.id = $1::uuid)";
        assert_eq!(sqlx::query(statement).bind(a).bind(b).execute(&pool).await.expect("an update").rows_affected(), 2);
    };
    let whole = server.remember(&ada, "untouched walrus").await;
    let (first, second) = (server.remember(&ada, "first walrus").await, server.remember(&ada, "second walrus").await);
    let (private, public) = (server.remember(&ada, "private walrus").await, server.publish(&eve, "public walrus").await);

    swap(&first, &second).await;
    swap(&private, &public).await;

    for (person, id) in [(&ada, &first), (&ada, &second), (&ada, &private), (&ada, &public), (&eve, &public)] {
        let (status, answer) = server.try_call(person, "get_memory", json!({ "memory_id": id })).await;
        assert_eq!((status.as_u16(), &answer["code"]), (500, &json!("internal")), "ENC-05");
        assert!(!answer.to_string().contains("walrus") && !answer.to_string().contains("gAAAA"), "ENC-04: {answer}");
    }
    for (tool, data) in [
        ("get_memories", json!({})),
        ("retrieve_memories", json!({})),
        ("query_memory", json!({ "query": "walrus", "scope": "all" })),
    ] {
        assert_eq!(ids(&server.call(&ada, tool, data).await), std::slice::from_ref(&whole), "ENC-04: {tool} has the others");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_ciphertext_of_the_same_row_is_not_served(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "first version").await;
    let old: String = sqlx::query_scalar("SELECT ciphertext FROM memories").fetch_one(&pool).await.expect("a row");
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "second version" })).await;

    sqlx::query("UPDATE memories SET ciphertext = $1").bind(old).execute(&pool).await.expect("an update");

    assert_eq!(server.fail(&ada, "get_memory", json!({ "memory_id": id })).await.0, 500, "ENC-05: the version is inside");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_list_goes_on_past_rows_that_cannot_be_read(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let mut stored = Vec::new();
    for number in 0..12 {
        stored.push(server.remember(&ada, &format!("note {number}")).await);
    }
    for (id, damage) in [(&stored[11], ""), (&stored[7], "plain"), (&stored[6], "gAAAAAB"), (&stored[4], "\u{0001}")] {
        let statement = "UPDATE memories SET ciphertext = $2 WHERE id = $1::uuid";
        sqlx::query(statement).bind(id).bind(damage).execute(&pool).await.expect("an update");
    }
    let flip = "UPDATE memories SET ciphertext = overlay(ciphertext PLACING (CASE WHEN substr(ciphertext, 60, 1) = 'A' THEN 'B' ELSE 'A' END) FROM 60)
        WHERE id = $1::uuid";
    sqlx::query(flip).bind(&stored[0]).execute(&pool).await.expect("an update");
    let readable: Vec<String> = [10, 9, 8, 5, 3, 2, 1].map(|number: usize| stored[number].clone()).to_vec();

    for limit in [1, 2, 3, 12] {
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..15 {
            let data = if cursor.is_null() { json!({ "limit": limit }) } else { json!({ "limit": limit, "cursor": cursor }) };
            let mut page = server.call(&ada, "get_memories", data).await;
            seen.extend(ids(&page));
            cursor = page["next_cursor"].take();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen, readable, "ENC-04: pages of {limit}");
    }
    let repaired = server.call(&ada, "update_memory", json!({ "memory_id": stored[11], "text": "written anew" })).await;
    assert_eq!(repaired["text"], "written anew", "a new text mends a row");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_key_still_opens_and_a_missing_key_is_said_at_the_start(pool: PgPool) {
    use clap::Parser as _;
    use picard_crypto::{ExposeSecret as _, FernetKey};
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "tea at four").await;
    let new = FernetKey::generate().encode().expose_secret().to_owned();
    let both = format!("{new},{}", server.key());

    let rotated =
        TestServer::spawn_at(server.database_url.clone(), &["--encryption-keys", &both, "--public-url", &server.url]).await;

    assert_eq!(rotated.call(&ada, "get_memory", json!({ "memory_id": id })).await["text"], "tea at four", "ENC-03");
    let grace = rotated.sign_in("grace").await;
    let newer = rotated.remember(&grace, "coffee at five").await;
    assert_eq!(rotated.call(&grace, "get_memory", json!({ "memory_id": newer })).await["text"], "coffee at five", "ENC-03");

    let arguments = [
        "picard-server",
        "--database-url",
        &server.database_url,
        "--server-addr",
        "127.0.0.1:0",
        "--encryption-keys",
        &new,
        "--openai-api-key",
        "k",
    ];
    let config = picard_server::Config::try_parse_from(arguments).expect("a configuration");
    let refused = picard_server::start(config).await.expect_err("ENC-06: data that no key opens").to_string();
    assert!(!refused.contains(&new), "ENC-06: {refused}");
}
