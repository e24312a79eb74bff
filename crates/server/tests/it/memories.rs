//! The tools for memories behind `POST /api/tools`.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, word};

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_memory_is_stored_and_read_back(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let stored = server
        .call(&ada, "submit_memory", json!({ "text": "Earl Grey, hot.", "tags": ["tea", "tea", "habits"], "category": "drinks" }))
        .await;
    let read = server.call(&ada, "get_memory", json!({ "memory_id": stored["id"] })).await;

    assert_eq!(read, stored);
    assert_eq!(read["user_id"], ada.user_id);
    assert_eq!(read["tags"], json!(["tea", "habits"]));
    assert_eq!((&read["permission"], &read["version"], &read["embedding_status"]), (&json!("private"), &json!(1), &json!("ready")));
    assert_eq!(read["shared_with"], json!({ "users": [], "groups": [] }));
    assert_eq!((&read["expiration_date"], &read["is_expired"]), (&Value::Null, &json!(false)));
    let created = word(&read["created_at"]);
    assert!(created.len() == 32 && created.ends_with("+00:00"), "{created}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_stranger_cannot_tell_a_private_memory_from_none(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.remember(&ada, "The vault's code is under the mat.").await;
    let nothing = uuid::Uuid::new_v4().to_string();

    for (tool, more) in [
        ("get_memory", json!({})),
        ("update_memory", json!({ "text": "mine now" })),
        ("delete_memory", json!({})),
        ("modify_permissions", json!({ "permission": "public" })),
    ] {
        let mut answers = Vec::new();
        for memory_id in [&id, &nothing] {
            let mut data = json!({ "memory_id": memory_id });
            crate::kit::merge(&mut data, more.clone());
            let (status, mut answer) = server.try_call(&eve, tool, data).await;
            answer["request_id"] = Value::Null;
            answers.push((status, answer));
        }
        assert_eq!(answers[0].0, 404, "MEM-02 {tool}");
        assert_eq!(answers[0], answers[1], "MEM-02 {tool}");
    }
    assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": id })).await["text"], "The vault's code is under the mat.");
}
