//! What a client learns about a token, and what nobody else does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::TestServer;

async fn introspect(server: &TestServer, client: (&str, &str), token: &str) -> Value {
    let request = server.post("/introspect").basic_auth(client.0, Some(client.1)).form(&[("token", token)]);
    let response = request.send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), &response.headers()["cache-control"]), (200, &"no-store".parse().expect("a value")));
    response.json().await.expect("JSON")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_client_learns_what_its_own_token_is_worth(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in_with("ada", "memories:read").await;
    let client = (server.client_id.as_str(), server.client_secret.as_str());
    let claims = URL_SAFE_NO_PAD.decode(ada.token.split('.').nth(1).expect("a part")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");

    let access = introspect(&server, client, &ada.token).await;
    assert_eq!(access["active"], true, "REV-05");
    for name in ["scope", "client_id", "sub", "exp", "iat", "aud", "iss", "jti"] {
        assert_eq!(access[name], claims[name], "REV-05 {name}");
    }
    let refresh = introspect(&server, client, &ada.refresh_token).await;
    assert_eq!((&refresh["active"], &refresh["scope"]), (&json!(true), &json!("memories:read")), "REV-05");
    assert!(refresh.get("jti").is_none() && refresh["sub"] == claims["sub"]);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn everything_else_is_not_active_and_nothing_more(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (other, other_secret) = server.register_client("Other", true).await;
    let (public, _) = server.register_client("Public", false).await;
    let ada = server.sign_in("ada").await;
    let client = (server.client_id.as_str(), server.client_secret.as_str());

    for token in [ada.token.as_str(), ada.refresh_token.as_str()] {
        assert_eq!(introspect(&server, (&other, &other_secret), token).await, json!({ "active": false }), "REV-04, UTK-13");
        let by_public = server.post("/introspect").form(&[("token", token), ("client_id", &public)]);
        let answer: Value = by_public.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer, json!({ "active": false }), "REV-04");
        for request in [
            server.post("/introspect").form(&[("token", token)]),
            server.post("/introspect").form(&[("token", token), ("client_id", client.0)]),
            server.post("/introspect").basic_auth(client.0, Some("wrong")).form(&[("token", token)]),
        ] {
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 401, "REV-04");
            assert_eq!(response.json::<Value>().await.expect("JSON")["error"], "invalid_client");
        }
    }
    for token in ["x", "a.b.c", &format!("{}x", ada.token)] {
        assert_eq!(introspect(&server, client, token).await, json!({ "active": false }), "{token:.5}");
    }
    let without = server.post("/introspect").basic_auth(client.0, Some(client.1)).form(&[("x", "y")]);
    assert_eq!(without.send().await.expect("an answer").status(), 400);

    let next: Value = server.refresh(&ada.refresh_token).await.json().await.expect("JSON");
    assert_eq!(introspect(&server, client, &ada.refresh_token).await, json!({ "active": false }), "a used one");
    let next = next["refresh_token"].as_str().expect("a token");
    assert_eq!(introspect(&server, client, next).await["active"], true);
    let revoked = server.post("/revoke").basic_auth(client.0, Some(client.1)).form(&[("token", next)]);
    assert_eq!(revoked.send().await.expect("an answer").status(), 200);
    for token in [next, ada.token.as_str()] {
        assert_eq!(introspect(&server, client, token).await, json!({ "active": false }), "REV-01");
    }
}
