//! Connections: what a person has given clients, and how it ends.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{ADMIN, Person, TestServer};

async fn connections(server: &TestServer, person: &Person) -> Vec<Value> {
    let response = server.get("/api/connections").bearer_auth(&person.token).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.expect("JSON");
    body["connections"].as_array().expect("a list").clone()
}

async fn end(server: &TestServer, person: &Person, client_id: &str) -> StatusCode {
    let path = format!("/api/connections/{client_id}");
    server.request(Method::DELETE, &path).bearer_auth(&person.token).send().await.expect("an answer").status()
}

/// Signs the same person in through another client, which the person's first client does not know.
async fn sign_in_through(server: &TestServer, client: &(String, String), username: &str) -> Person {
    let body = json!({ "client_id": client.0, "client_secret": client.1, "username": username, "create_if_not_exists": true });
    let answer: Value =
        server.post("/api/user-tokens/user-token").json(&body).send().await.expect("an answer").json().await.expect("JSON");
    Person::from_answer(&answer)
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_person_sees_own_connections_and_ends_them_at_every_replica(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, again, grace) = (server.sign_in("ada").await, server.sign_in("ada").await, server.sign_in("grace").await);

    let listed = connections(&server, &ada).await;
    assert_eq!(listed.len(), 1, "REV-08: two grants of one client are one connection");
    assert_eq!(listed[0]["client_id"], server.client_id.as_str());
    assert_eq!(listed[0]["client_name"], "Test application");
    assert_eq!(listed[0]["scopes"], json!(["memories:read", "memories:write"]));
    assert!(listed[0]["created_at"].as_str() <= listed[0]["last_used_at"].as_str());

    assert_eq!(end(&server, &ada, &server.client_id).await, 204, "REV-08");
    for (url, person) in [(&server.url, &ada), (&replica.url, &ada), (&server.url, &again), (&replica.url, &again)] {
        assert!(!server.is_welcome_at(url, &person.token).await, "REV-08: ended everywhere at once");
        assert_eq!(server.refresh_at(url, &person.refresh_token).await.status(), 400, "REV-08");
    }
    assert!(server.is_welcome_at(&replica.url, &grace.token).await, "another person's connection stays");
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_no_connection_of_ones_own_is_not_found(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let other = server.register_client("Other", true).await;
    let (ada, bob) = (server.sign_in("ada").await, sign_in_through(&server, &other, "bob").await);

    for client_id in [other.0.as_str(), "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11", "not-an-id"] {
        assert_eq!(end(&server, &ada, client_id).await, 404, "REV-08 {client_id}");
    }
    assert_eq!(connections(&server, &bob).await.len(), 1);
    assert!(server.is_welcome_at(&server.url, &bob.token).await);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_that_only_reads_ends_its_own_connection_and_no_other(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let reader = server.sign_in_with("ada", "memories:read").await;
    let writer = server.sign_in_with("grace", "memories:write").await;

    let (id, _) = server.register_client("Other", true).await;
    assert_eq!(end(&server, &reader, &id).await, 403, "SCO-01");
    assert_eq!(end(&server, &reader, &server.client_id).await, 204);
    let listing = server.get("/api/connections").bearer_auth(&writer.token).send().await.expect("an answer");
    assert_eq!(listing.status(), 403, "SCO-01");
    let challenge = listing.headers()["www-authenticate"].to_str().expect("text").to_owned();
    assert!(challenge.contains(r#"scope="memories:read""#), "{challenge}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_administrator_ends_tokens_by_person_and_by_client(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let other = server.register_client("Other", true).await;
    let (ada, grace, bob) =
        (server.sign_in("ada").await, server.sign_in("grace").await, sign_in_through(&server, &other, "bob").await);
    let revoke = async |body: Value| {
        let request = server.post("/api/admin/tokens/revoke").basic_auth(ADMIN.0, Some(ADMIN.1)).json(&body);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON")["revoked"].clone())
    };

    assert_eq!(revoke(json!({})).await.0, 422);
    assert_eq!(revoke(json!({ "user_id": "x" })).await.0, 422);
    assert_eq!(revoke(json!({ "user_id": ada.user_id, "client_id": other.0 })).await, (200, json!(0)));
    assert_eq!(revoke(json!({ "user_id": ada.user_id })).await, (200, json!(1)));
    assert!(!server.is_welcome_at(&server.url, &ada.token).await);
    assert!(server.is_welcome_at(&server.url, &grace.token).await);
    assert_eq!(revoke(json!({ "client_id": server.client_id })).await, (200, json!(1)));
    assert!(!server.is_welcome_at(&server.url, &grace.token).await);
    assert!(server.is_welcome_at(&server.url, &bob.token).await);

    let as_person = server.post("/api/admin/tokens/revoke").bearer_auth(&bob.token).json(&json!({ "user_id": bob.user_id }));
    assert_eq!(as_person.send().await.expect("an answer").status(), 403, "SCO-04");
    let as_nobody = server.post("/api/admin/tokens/revoke").json(&json!({ "user_id": bob.user_id }));
    assert_eq!(as_nobody.send().await.expect("an answer").status(), 401);
}
