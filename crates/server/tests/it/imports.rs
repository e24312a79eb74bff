//! Moving memories in and out.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, eventually, number, word};

async fn send(server: &TestServer, person: &Person, kind: &str, query: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let request = server.post(&format!("/api/memories/import{query}")).bearer_auth(&person.token);
    let response = request.header("content-type", kind).body(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn state(server: &TestServer, person: &Person, id: &str) -> Value {
    let response = server.get(&format!("/api/imports/{id}")).bearer_auth(&person.token).send().await.expect("an answer");
    response.json().await.expect("JSON")
}

/// Imports and waits for the end.
async fn import(server: &TestServer, person: &Person, kind: &str, query: &str, body: impl Into<reqwest::Body>) -> Value {
    let (status, answer) = send(server, person, kind, query, body).await;
    assert_eq!(status, 202, "{answer}");
    let id = word(&answer["import_id"]);
    eventually("the import ends", async || {
        matches!(state(server, person, &id).await["status"].as_str(), Some("done" | "failed"))
    })
    .await;
    state(server, person, &id).await
}

async fn export(server: &TestServer, person: &Person, format: &str) -> String {
    let request = server.get(&format!("/api/memories/export?format={format}")).bearer_auth(&person.token);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.text().await.expect("a body")
}

/// What of a memory has to come back.
fn essence(memory: &Value) -> String {
    json!([
        memory["text"],
        memory["permission"],
        memory["tags"],
        memory["category"],
        memory["expiration_date"],
        memory["created_at"],
        memory["shared_with"]
    ])
    .to_string()
}

async fn all(server: &TestServer, person: &Person) -> BTreeSet<String> {
    export(server, person, "ndjson").await.lines().map(|line| essence(&serde_json::from_str(line).expect("JSON"))).collect()
}

const ODD: [&str; 10] = [
    "plain",
    "=1+1",
    "'=2+2",
    "''@x",
    "-dash",
    "two\nlines \"quoted\", with, commas\r\nand more",
    "Grüße 🖖🏽 שלום 東京",
    "  spaces  ",
    "'",
    "a\u{1}b\u{2028}c",
];

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_exported_comes_back_the_same(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    for (index, text) in ODD.iter().enumerate() {
        let permission = ["private", "public", "shared", "aggregate"][index % 4];
        let mut data = json!({ "text": text, "permission": permission, "tags": [text.trim(), "=tag"], "category": "=c" });
        if permission == "shared" {
            data["shared_with"] = json!({ "users": [bob.user_id], "groups": [] });
        }
        if index % 3 == 0 {
            data["expiration_date"] = "2999-12-31T23:59:59.123456+02:00".into();
        }
        server.call(&ada, "submit_memory", data).await;
    }
    sqlx::query("UPDATE memories SET expiration_date = now() - interval '1 day' WHERE permission = 'public'")
        .execute(&pool)
        .await
        .expect("time passes");
    let before = all(&server, &ada).await;
    assert_eq!(before.len(), ODD.len());
    let header = export(&server, &bob, "csv").await;
    assert_eq!(header, "id,text,permission,tags,category,expiration_date,created_at\r\n", "nothing shared, no column for it");

    for (format, kind) in [("ndjson", "application/x-ndjson"), ("csv", "text/csv; charset=utf-8")] {
        let file = export(&server, &ada, format).await;
        let again = import(&server, &ada, kind, "", file.clone()).await;
        assert_eq!(
            (&again["done"], &again["skipped"]),
            (&json!(ODD.len()), &json!(ODD.len())),
            "{format}: they are there already"
        );
        sqlx::query("DELETE FROM memories").execute(&pool).await.expect("an empty table");

        let fresh = import(&server, &ada, kind, "?on_error=stop", file).await;

        assert_eq!(
            (&fresh["status"], &fresh["done"], &fresh["skipped"]),
            (&json!("done"), &json!(ODD.len()), &json!(0)),
            "{fresh}"
        );
        assert_eq!(all(&server, &ada).await, before, "P6 {format}");
    }
    let csv = export(&server, &ada, "csv").await;
    assert!(csv.starts_with("id,text,permission,tags,category,expiration_date,created_at"), "{csv}");
    assert!(!csv.lines().any(|line| line.contains(",=1+1,")), "no formula for a spreadsheet");
    assert!(export(&server, &ada, "markdown").await.contains("Grüße 🖖🏽 שלום 東京"));
    assert_eq!(export(&server, &bob, "ndjson").await, "", "MEM-01: nobody else's");
    let wrong = server.get("/api/memories/export?format=xml").bearer_auth(&ada.token).send().await.expect("an answer");
    assert_eq!(wrong.status(), 422);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn wrong_rows_are_named_and_the_others_stored(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let file = "{\"text\": \"one\", \"embedding\": [1]}\n\n{\"text\": \"\"}\n{\"tags\": []}\nno JSON\n{\"text\": \"two\", \"expiration_date\": \"2001-01-01T00:00:00Z\"}";

    let done = import(&server, &ada, "application/x-ndjson", "", file).await;

    assert_eq!(
        (&done["status"], &done["total"], &done["done"], &done["failed"]),
        (&json!("done"), &json!(5), &json!(2), &json!(3)),
        "{done}"
    );
    let rows: Vec<(u64, String)> = done["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| (error["row"].as_u64().expect("a row"), word(&error["field"])))
        .collect();
    assert_eq!(rows, [(3, "text".into()), (4, "text".into()), (5, String::new())]);
    assert!(!done.to_string().contains("no JSON\n"));
    let stopped = import(&server, &ada, "application/x-ndjson", "?on_error=stop", file).await;
    assert_eq!((&stopped["status"], &stopped["done"]), (&json!("failed"), &json!(0)), "{stopped}");
    assert_eq!(server.call(&ada, "retrieve_memories", json!({})).await["total"], 2, "nothing of it was stored");
    assert_eq!(number(&pool, "SELECT count(*) FROM import_rows").await, 0);

    let id = word(&send(&server, &ada, "application/x-ndjson", "", "").await.1["import_id"]);
    for path in
        [format!("/api/imports/{id}"), "/api/imports/x".into(), "/api/imports/6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11".into()]
    {
        let hidden = server.get(&path).bearer_auth(&eve.token).send().await.expect("an answer");
        assert_eq!(hidden.status(), 404, "{path}");
    }
    assert_eq!(send(&server, &ada, "application/xml", "", "<a/>").await.0, 415);
    assert_eq!(send(&server, &ada, "text/csv", "?on_error=perhaps", "text\na\n").await.0, 422);
    let reader = server.sign_in_with("ada", "memories:read").await;
    assert_eq!(send(&server, &reader, "text/csv", "", "text\na\n").await.0, 403);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn exports_of_other_programs_are_read(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let chatgpt = json!([{ "title": "Tea", "create_time": 1_700_000_000.5, "mapping": {
        "1": { "id": "1", "message": null, "parent": null, "children": ["2"] },
        "2": { "id": "2", "message": { "author": { "role": "user" }, "create_time": 1_700_000_001.0, "content": { "content_type": "text", "parts": ["Which tea wakes me?"] } } },
        "3": { "id": "3", "message": { "author": { "role": "assistant" }, "create_time": 1_700_000_002.0, "content": { "content_type": "text", "parts": ["Assam does."] } } } } }]);
    let claude = json!([{ "uuid": "a", "name": "Rowing", "created_at": "2024-05-01T10:00:00Z", "chat_messages": [
        { "uuid": "b", "sender": "human", "text": "I row on Tuesdays.", "created_at": "2024-05-01T10:00:01.000000Z" },
        { "uuid": "c", "sender": "assistant", "text": "Noted.", "created_at": "2024-05-01T10:00:02.000000Z" }] }]);
    let graph = "{\"type\":\"entity\",\"name\":\"Ada\",\"entityType\":\"person\",\"observations\":[\"likes tea\",\"rows\"]}\n{\"type\":\"relation\",\"from\":\"Ada\",\"to\":\"York\",\"relationType\":\"lives_in\"}\n";

    for (body, count) in [(chatgpt.to_string(), 2), (claude.to_string(), 2), (graph.to_owned(), 3)] {
        let done = import(&server, &ada, "application/json", "?on_error=stop", body).await;
        assert_eq!((&done["status"], &done["done"]), (&json!("done"), &json!(count)), "{done}");
    }

    for (query, text) in [("assam", "Assam does."), ("tuesday", "I row on Tuesdays."), ("york", "Ada lives in York")] {
        let found = server.call(&ada, "query_memory", json!({ "query": query, "mode": "keyword" })).await;
        assert_eq!(found["memories"][0]["text"], text);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_was_taken_in_is_stored_exactly_once_whatever_is_killed(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let file: String = (0..4_000).map(|n| format!("{{\"text\": \"memory number {n}\"}}\n")).collect();
    // The server that took it in does not get to store it: others do, and are killed while they work.
    let receiver = server.process(&[]).await;
    let request = server.http.post(format!("{}/api/memories/import", receiver.url)).bearer_auth(&ada.token);
    let answer = request.header("content-type", "application/x-ndjson").body(file).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    receiver.kill().await;
    for _ in 0..3 {
        sqlx::query("UPDATE imports SET run_after = now()").execute(&pool).await.expect("the lease ends");
        server.process(&[]).await.kill().await;
    }
    sqlx::query("UPDATE imports SET run_after = now()").execute(&pool).await.expect("the lease ends");

    eventually("the import ends", async || number(&pool, "SELECT count(*) FROM imports WHERE status = 'done'").await == 1).await;

    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 4_000, "FLT-23");
    assert_eq!(number(&pool, "SELECT done FROM imports").await, 4_000, "FLT-23");
}
