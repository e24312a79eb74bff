//! Calls that count once.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, number, word};

async fn call_once(server: &TestServer, person: &Person, tool: &str, data: &Value, key: &str) -> (u16, Value) {
    let call = json!({ "tool": tool, "data": data });
    let request = server.post("/api/tools").bearer_auth(&person.token).header("idempotency-key", key).json(&call);
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_same_call_gets_the_same_answer_and_happens_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let data = json!({ "text": "once", "tags": ["a"] });

    let first = call_once(&server, &ada, "submit_memory", &data, "k-1").await;
    let again = call_once(&server, &ada, "submit_memory", &data, "k-1").await;
    let inside = json!({ "tags": ["a"], "text": "once", "idempotency_key": "k-1" });
    let by_member = server.call(&ada, "submit_memory", inside).await;

    assert_eq!((first.0, &first), (200, &again));
    assert_eq!(by_member, first.1["data"]);
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 1);
    let others = call_once(&server, &eve, "submit_memory", &data, "k-1").await;
    assert_ne!(others.1["data"]["id"], first.1["data"]["id"], "a key is its person's");
    for (tool, other) in
        [("submit_memory", json!({ "text": "twice" })), ("delete_memory", json!({ "memory_id": first.1["data"]["id"] }))]
    {
        let (status, body) = call_once(&server, &ada, tool, &other, "k-1").await;
        assert_eq!((status, &body["code"]), (422, &json!("idempotency_mismatch")), "{tool}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_change_can_be_sent_twice(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;

    for (tool, data) in [
        ("update_memory", json!({ "memory_id": id, "text": "two", "version": 1 })),
        ("modify_permissions", json!({ "memory_id": id, "permission": "public" })),
        ("restore_memory", json!({ "memory_id": id, "version": 1 })),
        ("submit_memories", json!({ "memories": [{ "text": "a" }, { "text": "" }], "on_error": "continue" })),
        ("delete_memory", json!({ "memory_id": id })),
    ] {
        let first = call_once(&server, &ada, tool, &data, tool).await;
        let again = call_once(&server, &ada, tool, &data, tool).await;
        assert_eq!((first.0, &first), (200, &again), "{tool}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_call_that_fails_uses_no_key_up(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    let data = json!({ "memory_id": id, "text": "three", "version": 2 });

    assert_eq!(call_once(&server, &ada, "update_memory", &data, "k").await.0, 412);
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "two" })).await;

    assert_eq!(call_once(&server, &ada, "update_memory", &data, "k").await.0, 200);
    for key in ["", "a b", &"x".repeat(256)] {
        assert_eq!(call_once(&server, &ada, "update_memory", &data, key).await.0, 422, "{key:?}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_many_equal_calls_at_two_servers_one_happens(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let batch = json!({ "tool": "submit_memories", "data": { "memories": [{ "text": "a" }, { "text": "b" }] } });

    for round in 0..10 {
        let send = |number: usize| {
            let url = if number.is_multiple_of(2) { &server.url } else { &replica.url };
            let request = server.http.post(format!("{url}/api/tools")).bearer_auth(&ada.token);
            request.header("idempotency-key", format!("round-{round}")).json(&batch).send()
        };
        let mut answers = Vec::new();
        for response in join_all((0..20).map(send)).await {
            let response = response.expect("an answer");
            assert_eq!(response.status(), 200, "FLT-12");
            answers.push(word(&response.json::<Value>().await.expect("JSON")["data"]["results"][0]["memory"]["id"]));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "FLT-12: one answer for all");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 20, "FLT-12");
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nothing_of_a_call_can_be_read_in_the_table_and_a_day_later_the_key_is_free(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let data = json!({ "text": "canary-4711" });
    let first = call_once(&server, &ada, "submit_memory", &data, "key-canary").await;

    let rows: String =
        sqlx::query_scalar("SELECT string_agg(k::text, '') FROM idempotency_keys k").fetch_one(&pool).await.expect("rows");
    assert!(!rows.contains("canary"), "ENC-01");

    sqlx::query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        .execute(&pool)
        .await
        .expect("a day passes");
    let later = call_once(&server, &ada, "submit_memory", &data, "key-canary").await;
    assert_ne!(first.1["data"]["id"], later.1["data"]["id"]);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_import_and_a_group_are_made_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let send = async |path: &str, kind: &str, body: &str, key: &str| {
        let request = server.post(path).bearer_auth(&ada.token).header("idempotency-key", key).header("content-type", kind);
        let response = request.body(body.to_owned()).send().await.expect("an answer");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let import = async |body, key| send("/api/memories/import", "application/x-ndjson", body, key).await;
    let group = async |body, key| send("/api/groups", "application/json", body, key).await;

    let first = import("{\"text\": \"one\"}\n", "i-1").await;
    assert_eq!((first.0, &import("{\"text\": \"one\"}\n", "i-1").await), (202, &first));
    let made = group("{\"name\": \"Crew\"}", "g-1").await;
    assert_eq!((made.0, &group("{\"name\": \"Crew\"}", "g-1").await), (201, &made));

    for (status, answer) in [import("{\"text\": \"two\"}\n", "i-1").await, group("{\"name\": \"Others\"}", "g-1").await] {
        assert_eq!((status, &answer["code"]), (422, &json!("idempotency_mismatch")));
    }
    assert_eq!(import("{}", "ä").await.0, 422);
    assert_eq!(number(&pool, "SELECT count(*) FROM imports").await, 1);
    assert_eq!(number(&pool, "SELECT count(*) FROM groups").await, 1);
}
