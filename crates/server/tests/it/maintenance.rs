//! A new master key, and another embedding model, while servers run.

use picard_crypto::{ExposeSecret as _, FernetKey};
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{TestServer, eventually, ids, number};

fn key() -> String {
    FernetKey::generate().encode().expose_secret().to_owned()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_new_master_key_takes_over_and_the_old_one_can_go(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "I like my tea.").await;
    server.publish(&ada, "Vaults are heavy.").await;
    let (old, new) = (server.key(), key());
    let before: Vec<String> =
        sqlx::query_scalar("SELECT ciphertext FROM memories ORDER BY id").fetch_all(&pool).await.expect("texts");

    let (is_done, said) = server.command(&["--encryption-keys", &format!("{new},{old}"), "rotate-keys"]).await;

    assert!(is_done && said.contains("remaining: 0"), "ENC-03 {said}");
    assert!(!said.contains(&new) && !said.contains(&old));
    let after: Vec<String> =
        sqlx::query_scalar("SELECT ciphertext FROM memories ORDER BY id").fetch_all(&pool).await.expect("texts");
    assert_eq!(before, after, "texts are not touched");
    let (is_done, said) = server.command(&["--encryption-keys", &format!("{new},{old}"), "rotate-keys"]).await;
    assert!(is_done && said.starts_with("0 people's keys and 0 keys"), "ENC-03: again changes nothing: {said}");
    let other = server.process(&["--encryption-keys", &new]).await;
    for (mode, query) in [("keyword", "tea"), ("semantic", "I like my tea."), ("hybrid", "tea")] {
        let call = json!({ "tool": "query_memory", "data": { "query": query, "mode": mode, "scope": "all" } });
        let request = server.http.post(format!("{}/api/tools", other.url)).bearer_auth(&ada.token).json(&call);
        let found: serde_json::Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(ids(&found["data"])[0], id, "ENC-03 {mode}: with the new key alone");
    }
    other.stop().await;

    let (is_done, said) = server.command(&["--encryption-keys", &key(), "serve"]).await;
    let fingerprint = FernetKey::parse(&new).expect("a key").fingerprint();
    assert!(!is_done && said.contains(&fingerprint) && said.contains("2 people"), "ENC-06 {said}");
    assert!(!said.contains(&new), "ENC-06");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn another_model_is_made_ready_while_the_old_one_answers(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for number in 0..40 {
        server.remember(&ada, &format!("memory number {number}")).await;
    }
    let other = ["--embedding-model", "other-embedding"];
    let semantic = json!({ "query": "memory number 7", "mode": "semantic" });

    let (is_done, said) = server.command(&[&other[..], &["reembed"]].concat()).await;

    assert!(is_done && said.contains("40 embedded, 0 refused by the model; remaining: 0"), "{said}");
    assert_eq!(server.call(&ada, "query_memory", semantic.clone()).await["total_found"], 40, "the old model still answers");
    let (_, said) = server.command(&[&other[..], &["reembed"]].concat()).await;
    assert!(said.contains("0 embedded"), "{said}");
    let late = server.remember(&ada, "a late one").await;
    let replica = server.replica_with(&other).await;
    eventually("the late memory has the new model's embedding", async || {
        number(&pool, "SELECT count(*) FROM memory_embeddings WHERE model LIKE 'other-embedding%'").await == 41
    })
    .await;
    let (is_done, said) = server.command(&[&other[..], &["reembed", "--drop-others"]].concat()).await;
    assert!(is_done && said.contains("41 embeddings of other models deleted"), "{said}");
    let call = json!({ "tool": "query_memory", "data": { "query": "a late one", "mode": "semantic" } });
    let request = server.http.post(format!("{}/api/tools", replica.url)).bearer_auth(&ada.token).json(&call);
    let found: serde_json::Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((ids(&found["data"])[0].clone(), &found["data"]["total_found"]), (late, &json!(41)));
    replica.stop().await;
}
