//! A new signing key takes over while servers run.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer};

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

async fn published(server: &TestServer, url: &str) -> Vec<String> {
    let jwks: Value =
        server.http.get(format!("{url}/.well-known/jwks.json")).send().await.expect("an answer").json().await.expect("JSON");
    let keys = jwks["keys"].as_array().expect("keys");
    assert!(keys.iter().all(|key| key.get("d").is_none()), "JWT-10");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_new_key_signs_and_the_old_one_verifies_until_its_tokens_have_ended(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let old = server.replica().await;
    let ada = server.sign_in("ada").await;
    let old_kid = kid(&ada.token);

    let new_kid = server.rotate_signing_key().await;

    let new = server.replica().await;
    for url in [&server.url, &old.url, &new.url] {
        assert_eq!(published(&server, url).await, [new_kid.clone(), old_kid.clone()], "JWT-10: known before it is used");
        assert!(server.is_welcome_at(url, &ada.token).await, "JWT-10: an old token lives on");
    }
    let body = json!({ "client_id": server.client_id, "client_secret": server.client_secret, "username": "ada" });
    let signed_new = server.http.post(format!("{}/api/user-tokens/user-token", new.url)).json(&body);
    let signed_new = Person::from_answer(&signed_new.send().await.expect("an answer").json().await.expect("JSON"));
    assert_eq!(kid(&signed_new.token), new_kid);

    sqlx::query("UPDATE signing_keys SET verifies_until = now() - interval '1 second' WHERE verifies_until IS NOT NULL")
        .execute(&pool)
        .await
        .expect("the hour passes");
    // At most one look a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for url in [&server.url, &old.url, &new.url] {
        assert_eq!(published(&server, url).await, std::slice::from_ref(&new_kid), "JWT-10");
        assert!(!server.is_welcome_at(url, &ada.token).await, "JWT-10: nothing that the old key signed holds");
        assert!(server.is_welcome_at(url, &signed_new.token).await);
    }
    old.stop().await;
    new.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_token_of_a_newer_key_is_taken_by_a_server_that_has_not_seen_the_key(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    server.sign_in("ada").await;
    let new_kid = server.rotate_signing_key().await;
    let new = server.replica().await;
    let body = json!({ "client_id": server.client_id, "client_secret": server.client_secret, "username": "ada" });
    let request = server.http.post(format!("{}/api/user-tokens/user-token", new.url)).json(&body);
    let ada = Person::from_answer(&request.send().await.expect("an answer").json().await.expect("JSON"));
    assert_eq!(kid(&ada.token), new_kid);

    assert!(server.is_welcome_at(&server.url, &ada.token).await, "JWT-10");
    new.stop().await;
}
