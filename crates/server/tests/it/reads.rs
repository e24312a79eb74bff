//! Owners see who read what.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, eventually, number, word};

async fn reads(server: &TestServer, owner: &Person) -> Vec<Value> {
    let page =
        server.get("/api/users/me/activity?event=memories_read").bearer_auth(&owner.token).send().await.expect("an answer");
    page.json::<Value>().await.expect("JSON")["events"].as_array().expect("events").clone()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_owner_sees_who_read_which_memory_and_how(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let id = server.publish(&ada, "I like my tea.").await;
    server.call(&bob, "get_memory", json!({ "memory_id": id })).await;
    server.call(&bob, "query_memory", json!({ "query": "tea", "scope": "public" })).await;
    server.call(&bob, "get_memories", json!({ "user_id": ada.user_id })).await;
    server.call(&ada, "get_memory", json!({ "memory_id": id })).await;

    let mut seen = Vec::new();
    for _ in 0..100 {
        seen = reads(&server, &ada).await;
        if seen.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut operations: Vec<String> = seen.iter().map(|read| word(&read["details"]["operation"])).collect();
    operations.sort();
    assert_eq!(operations, ["get", "list", "search"], "one's own reads are not noted");
    for read in &seen {
        assert_eq!((&read["user_id"], &read["subject_id"]), (&json!(bob.user_id), &json!(ada.user_id)));
        assert_eq!((&read["client_id"], &read["details"]["door"]), (&json!(server.client_id()), &json!("rest")));
        assert_eq!((&read["details"]["memory_ids"], &read["address"]), (&json!([id]), &Value::Null));
    }
    assert_eq!(reads(&server, &bob).await.len(), 3, "the reader sees what they did");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_stop_loses_no_read(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let id = server.publish(&ada, "I like my tea.").await;
    for _ in 0..25 {
        server.call(&bob, "get_memory", json!({ "memory_id": id })).await;
    }

    server.stop().await;

    assert_eq!(number(&pool, "SELECT count(*) FROM audit_events WHERE event = 'memories_read'").await, 25);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn one_sees_what_one_wrote(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    for (tool, data) in [
        ("submit_memories", json!({ "memories": [{ "text": "a" }, { "text": "b" }] })),
        ("update_memory", json!({ "memory_id": id, "text": "two" })),
        ("modify_permissions", json!({ "memory_id": id, "permission": "public" })),
        ("restore_memory", json!({ "memory_id": id, "version": 1 })),
        ("delete_memory", json!({ "memory_id": id })),
    ] {
        server.call(&ada, tool, data).await;
    }
    server.get("/api/memories/export").bearer_auth(&ada.token).send().await.expect("an answer");
    let activity = async || {
        let page = server.get("/api/users/me/activity").bearer_auth(&ada.token).send().await.expect("an answer");
        page.json::<Value>().await.expect("JSON")["events"].as_array().expect("events").clone()
    };

    eventually("it is written", async || activity().await.iter().any(|act| act["event"] == "memories_exported")).await;

    let acts = activity().await;
    let mut events: Vec<&str> = acts.iter().filter_map(|act| act["event"].as_str()).collect();
    events.sort_unstable();
    for event in ["memory_updated", "permissions_modified", "memory_restored", "memory_deleted", "memories_exported"] {
        assert_eq!(events.iter().filter(|found| **found == event).count(), 1, "{event} in {events:?}");
    }
    let submitted: Vec<&Value> = acts.iter().filter(|act| act["event"] == "memories_submitted").collect();
    let counts: Vec<_> = submitted.iter().map(|act| act["details"]["memory_ids"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 3, "{submitted:?}");
    assert!(submitted.iter().all(|act| act["user_id"] == json!(ada.user_id) && act["details"]["door"] == "rest"));
}
