//! What a memory was, and bringing it back.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, number, word};

fn texts(history: &Value) -> Vec<(i64, String, String)> {
    let versions = history["versions"].as_array().expect("versions");
    versions
        .iter()
        .map(|version| (version["version"].as_i64().expect("a number"), word(&version["text"]), word(&version["permission"])))
        .collect()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_change_stays_in_the_history_with_its_client(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "two", "tags": ["a"] })).await;
    server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "public" })).await;

    let history = server.call(&ada, "memory_history", json!({ "memory_id": id })).await;

    let expected =
        [(3, "two", "public"), (2, "two", "private"), (1, "one", "private")].map(|(v, t, p)| (v, t.to_owned(), p.to_owned()));
    assert_eq!(texts(&history), expected);
    assert_eq!(history["next_cursor"], Value::Null);
    let versions = history["versions"].as_array().expect("versions");
    assert!(versions.iter().all(|version| version["client_id"] == server.client_id()));
    let first = server.call(&ada, "memory_history", json!({ "memory_id": id, "limit": 2 })).await;
    let rest = json!({ "memory_id": id, "limit": 2, "cursor": first["next_cursor"] });
    let second = server.call(&ada, "memory_history", rest).await;
    assert_eq!([texts(&first), texts(&second)].concat(), expected);
    let other = server.remember(&ada, "another").await;
    let stolen = json!({ "memory_id": other, "cursor": first["next_cursor"] });
    assert_eq!(server.fail(&ada, "memory_history", stolen).await, (422, "invalid".into()), "MEM-10");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_history_is_its_owners_alone_and_goes_with_the_memory(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let (secret, open) = (server.remember(&ada, "secret").await, server.publish(&ada, "open").await);
    server.call(&ada, "update_memory", json!({ "memory_id": secret, "text": "changed" })).await;

    for (tool, more) in [("memory_history", json!({})), ("restore_memory", json!({ "version": 1 }))] {
        for (id, expected) in [(&secret, (404, "not_found")), (&open, (403, "forbidden"))] {
            let mut data = json!({ "memory_id": id });
            crate::kit::merge(&mut data, more.clone());
            assert_eq!(server.fail(&eve, tool, data).await, (expected.0, expected.1.to_owned()), "{tool}");
        }
    }
    server.call(&ada, "delete_memory", json!({ "memory_id": secret })).await;
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_versions").await, 0, "MEM-14");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_version_comes_back_as_a_new_one_with_text_words_and_meaning(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let data = json!({ "text": "turquoise bicycle", "tags": ["wheels"], "category": "things" });
    let id = word(&server.call(&ada, "submit_memory", data).await["id"]);
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "copper saucepan", "tags": [], "category": null })).await;

    let restored = server.call(&ada, "restore_memory", json!({ "memory_id": id, "version": 1 })).await;

    assert_eq!((&restored["text"], &restored["version"]), (&json!("turquoise bicycle"), &json!(3)));
    assert_eq!((&restored["tags"], &restored["category"]), (&json!(["wheels"]), &json!("things")));
    for mode in ["semantic", "keyword", "hybrid"] {
        let found = server.call(&ada, "query_memory", json!({ "query": "turquoise bicycle", "mode": mode })).await;
        let least = if mode == "keyword" { 0.5 } else { 0.9 };
        assert!(found["memories"][0]["score"].as_f64() > Some(least), "{mode}: {found}");
    }
    for version in [0, 4] {
        let data = json!({ "memory_id": id, "version": version });
        assert_eq!(server.fail(&ada, "restore_memory", data).await, (422, "invalid".into()), "{version}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_restore_shows_a_memory_to_nobody_who_does_not_see_it_now(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.publish(&ada, "one").await;
    server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "private" })).await;

    let open = server.call(&ada, "restore_memory", json!({ "memory_id": id, "version": 1 })).await;
    assert_eq!(open["permission"], "private", "the text came back, the public did not");

    server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "public" })).await;
    let closed = server.call(&ada, "restore_memory", json!({ "memory_id": id, "version": 2 })).await;
    assert_eq!(closed["permission"], "private", "what was private becomes private again");
}
