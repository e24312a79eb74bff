//! What every tool refuses, and how it says so.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, number, word};

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_wrong_member_is_named(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = uuid::Uuid::new_v4().to_string();
    let many: Vec<String> = (0..101).map(|n| format!("t{n}")).collect();

    for (tool, data, field) in [
        ("submit_memory", json!({}), "text"),
        ("submit_memory", json!({ "text": "" }), "text"),
        ("submit_memory", json!({ "text": null }), "text"),
        ("submit_memory", json!({ "text": 5 }), "text"),
        ("submit_memory", json!({ "text": "x".repeat(32_769) }), "text"),
        ("submit_memory", json!({ "text": "a\0b" }), "text"),
        ("submit_memory", json!({ "text": "x", "permission": "PRIVATE" }), "permission"),
        ("submit_memory", json!({ "text": "x", "permission": "public " }), "permission"),
        ("submit_memory", json!({ "text": "x", "tags": "tea" }), "tags"),
        ("submit_memory", json!({ "text": "x", "tags": ["tea", ""] }), "tags[1]"),
        ("submit_memory", json!({ "text": "x", "tags": ["a\0"] }), "tags[0]"),
        ("submit_memory", json!({ "text": "x", "tags": ["x".repeat(65)] }), "tags[0]"),
        ("submit_memory", json!({ "text": "x", "tags": many }), "tags"),
        ("submit_memory", json!({ "text": "x", "category": "" }), "category"),
        ("submit_memory", json!({ "text": "x", "category": "x".repeat(65) }), "category"),
        ("submit_memory", json!({ "text": "x", "Tags": [] }), "Tags"),
        ("get_memory", json!({}), "memory_id"),
        ("get_memory", json!({ "memory_id": 5 }), "memory_id"),
        ("get_memory", json!({ "memory_id": id, "user_id": id }), "user_id"),
        ("get_memories", json!({ "user_id": "ada" }), "user_id"),
        ("get_memories", json!({ "sort": "created_at; --" }), "sort"),
        ("get_memories", json!({ "order": "DESC" }), "order"),
        ("get_memories", json!({ "expiration_status": "never" }), "expiration_status"),
        ("get_memories", json!({ "permission": "secret" }), "permission"),
        ("get_memories", json!({ "created_after": "yesterday" }), "created_after"),
        ("get_memories", json!({ "created_before": 0 }), "created_before"),
        ("get_memories", json!({ "offset": 5 }), "offset"),
        ("retrieve_memories", json!({ "tags": ["tea"] }), "tags"),
        ("update_memory", json!({ "text": "x" }), "memory_id"),
        ("update_memory", json!({ "memory_id": id, "text": "" }), "text"),
        ("update_memory", json!({ "memory_id": id, "version": 1.5, "text": "x" }), "version"),
        ("modify_permissions", json!({ "memory_id": id }), "permission"),
        ("modify_permissions", json!({ "memory_id": id, "permission": "everyone" }), "permission"),
        ("modify_permissions", json!({ "permission": "public" }), "memory_id"),
        ("delete_memory", json!({}), "memory_id"),
        ("delete_memory", json!({ "memory_id": [id] }), "memory_id"),
        ("query_memory", json!({}), "query"),
        ("query_memory", json!({ "query": "" }), "query"),
        ("query_memory", json!({ "query": "x".repeat(4_097) }), "query"),
        ("query_memory", json!({ "query": "a\0" }), "query"),
        ("query_memory", json!({ "query": "x", "scope": "everything" }), "scope"),
        ("query_memory", json!({ "query": "x", "mode": "magic" }), "mode"),
        ("query_memory", json!({ "query": "x", "min_score": -0.1 }), "min_score"),
        ("query_memory", json!({ "query": "x", "min_score": 1.01 }), "min_score"),
        ("query_memory", json!({ "query": "x", "min_score": "0.5" }), "min_score"),
    ] {
        assert_eq!(server.blamed(&ada, tool, data.clone()).await, field, "INP-02, INP-11 {tool} {data:.80}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_limit_is_a_whole_number_within_bounds(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let wrong = [json!(-1), json!(0), json!(1e10), json!(u64::MAX), json!("10"), json!(1.5), json!(null), json!([]), json!(true)];

    for (tool, most) in [("get_memories", 200), ("retrieve_memories", 200), ("query_memory", 100)] {
        let data = |limit: &Value| match tool {
            "query_memory" => json!({ "query": "x", "limit": limit }),
            _ => json!({ "limit": limit }),
        };
        for limit in wrong.iter().chain([&json!(most + 1)]) {
            assert_eq!(server.blamed(&ada, tool, data(limit)).await, "limit", "INP-05 {tool} {limit}");
        }
        for limit in [1, most] {
            server.call(&ada, tool, data(&json!(limit))).await;
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_call_has_a_tool_and_data_and_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for (body, status, code, field) in [
        (json!({}), 422, "invalid", Some("tool")),
        (json!({ "tool": "get_memories" }), 422, "invalid", Some("data")),
        (json!({ "data": {} }), 422, "invalid", Some("tool")),
        (json!({ "tool": 5, "data": {} }), 422, "invalid", Some("tool")),
        (json!({ "tool": "get_memories", "data": [] }), 422, "invalid", Some("data")),
        (json!({ "tool": "get_memories", "data": null }), 422, "invalid", Some("data")),
        (json!({ "tool": "get_memories", "data": "{}" }), 422, "invalid", Some("data")),
        (json!({ "tool": "get_memories", "data": {}, "user_id": "x" }), 422, "invalid", Some("user_id")),
        (json!([]), 422, "invalid", None),
        (json!("get_memories"), 422, "invalid", None),
        (json!({ "tool": "Get_memories", "data": {} }), 404, "unknown_tool", None),
        (json!({ "tool": "get_memories ", "data": {} }), 404, "unknown_tool", None),
        (json!({ "tool": "__proto__", "data": {} }), 404, "unknown_tool", None),
        (json!({ "tool": "", "data": {} }), 404, "unknown_tool", None),
        (json!({ "tool": "delete_everything", "data": {} }), 404, "unknown_tool", None),
    ] {
        let response = server.post("/api/tools").bearer_auth(&ada.token).json(&body).send().await.expect("an answer");
        let (got, answer) = (response.status().as_u16(), response.json::<Value>().await.expect("JSON"));

        assert_eq!((got, word(&answer["code"]).as_str()), (status, code), "SCO-06 {body}");
        if let Some(field) = field {
            assert_eq!(answer["errors"][0]["field"], field, "SCO-06 {body}: {answer}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_looks_like_sql_is_data(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let tricky = ["' OR 1=1 --", "%", "_", "a' ; DROP TABLE memories; --", "{\"a\"}", "[1,2", "\\", "$1", "NULL"];
    for text in tricky {
        server.call(&ada, "submit_memory", json!({ "text": text, "tags": [text], "category": text })).await;
    }

    for text in tricky {
        for filter in [json!({ "tags": [text] }), json!({ "category": text })] {
            let list = server.call(&ada, "get_memories", filter).await;
            assert_eq!((&list["total"], &list["memories"][0]["text"]), (&json!(1), &json!(text)), "INP-10");
        }
        server.call(&ada, "query_memory", json!({ "query": text, "tags": [text] })).await;
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 9, "INP-10");
}
