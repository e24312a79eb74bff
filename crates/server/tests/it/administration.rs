//! Clients and people, as administrators manage them.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{ADMIN, Person, TestServer, number, word};

/// Asks as the administrator; gives back status and body.
async fn ask(server: &TestServer, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server.request(method, &format!("/api/admin{path}")).basic_auth(ADMIN.0, Some(ADMIN.1));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or(Value::Null))
}

async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    ask(server, Method::GET, path, None).await
}

/// The pages of a list, one after another.
async fn pages(server: &TestServer, path: &str, member: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(server, &format!("{path}?limit={limit}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let rows = page[member].as_array().expect("a list");
        assert!(rows.len() <= limit);
        all.extend(rows.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn clients_are_listed_shown_changed_and_deleted(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    for n in 0..6 {
        server.register_client(&format!("Client {n}"), n % 2 == 0).await;
    }

    let listed = pages(&server, "/clients", "clients", 3).await;
    let names: Vec<_> = listed.iter().map(|client| word(&client["client_name"])).collect();
    assert_eq!(names, ["Client 5", "Client 4", "Client 3", "Client 2", "Client 1", "Client 0", "Test application"]);
    assert!(listed.iter().all(|client| client.get("client_secret").is_none()), "secrets never come back");
    assert!(!listed.iter().any(|client| client.to_string().contains("secret_hash")));

    let id = word(&listed[1]["client_id"]);
    let path = format!("/clients/{id}");
    let (status, shown) = get(&server, &path).await;
    assert_eq!((status, &shown["client_name"], &shown["is_confidential"]), (200, &json!("Client 4"), &json!(true)));
    let full = json!({ "client_name": "Renamed", "redirect_uris": ["https://new.example/cb"], "scopes": ["memories:read"], "is_confidential": true });
    let (status, changed) = ask(&server, Method::PUT, &path, Some(full.clone())).await;
    assert_eq!((status, &changed["client_name"], changed.get("client_secret")), (200, &json!("Renamed"), None));
    assert_eq!(get(&server, &path).await.1["redirect_uris"], json!(["https://new.example/cb"]));
    for wrong in [json!({ "client_name": "x" }), json!({ "client_name": "", "redirect_uris": [], "scopes": [] }), json!([])] {
        assert_eq!(ask(&server, Method::PUT, &path, Some(wrong)).await.0, 422);
    }

    assert_eq!(ask(&server, Method::DELETE, &path, None).await.0, 204);
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(full)), (Method::DELETE, None)] {
        assert_eq!(ask(&server, method, &path, body).await.0, 404);
    }
    for wrong in ["?limit=0", "?limit=201", "?limit=x", "?cursor=x", "?order=asc"] {
        assert_eq!(get(&server, &format!("/clients{wrong}")).await.0, 422, "{wrong}");
    }
    assert_eq!(get(&server, "/clients/not-an-id").await.0, 404);
    let foreign = get(&server, "/users?limit=1").await.1;
    assert!(foreign["users"].is_array());
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_new_secret_ends_the_old_one_and_a_deleted_client_loses_every_token(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (public, _) = server.register_client("Public", false).await;

    let (status, answer) = ask(&server, Method::POST, &format!("/clients/{}/secret", server.client_id), None).await;
    assert_eq!((status, &answer["client_id"]), (200, &json!(server.client_id)));
    assert_eq!(server.refresh(&ada.refresh_token).await.status(), 401, "the old secret has ended");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &ada.refresh_token)];
    let with_new = server.post("/token").basic_auth(&server.client_id, answer["client_secret"].as_str()).form(&form);
    assert_eq!(with_new.send().await.expect("an answer").status(), 200);
    assert_eq!(ask(&server, Method::POST, &format!("/clients/{public}/secret"), None).await.0, 409);
    assert_eq!(ask(&server, Method::POST, &format!("/clients/{}/secret", uuid::Uuid::new_v4()), None).await.0, 404);

    assert!(server.is_welcome_at(&server.url, &ada.token).await);
    assert_eq!(ask(&server, Method::DELETE, &format!("/clients/{}", server.client_id), None).await.0, 204);
    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "JWT-09: the client of the token is gone");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deactivated_person_loses_every_token_at_every_replica(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let path = format!("/users/{}", ada.user_id);

    let listed = pages(&server, "/users", "users", 2).await;
    let names: Vec<_> = listed.iter().map(|person| word(&person["username"])).collect();
    assert_eq!(names, ["bob", "ada", "root"]);
    assert!(listed.iter().all(|person| person.as_object().expect("an object").len() == 6), "nothing else is shown: {listed:?}");

    let (status, changed) = ask(&server, Method::PATCH, &path, Some(json!({ "is_active": false }))).await;
    assert_eq!((status, &changed["is_active"]), (200, &json!(false)));
    for url in [&server.url, &replica.url] {
        assert!(!server.is_welcome_at(url, &ada.token).await, "JWT-09");
        assert!(server.is_welcome_at(url, &bob.token).await);
    }
    assert_eq!(server.user_token(json!({ "username": "ada" })).await.status(), 403, "UTK-12");
    assert_eq!(ask(&server, Method::PATCH, &path, Some(json!({ "is_active": true }))).await.0, 200);
    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "what ended stays ended");
    assert_eq!(server.user_token(json!({ "username": "ada" })).await.status(), 200);
    for wrong in [json!({}), json!({ "is_active": "no" }), json!({ "username": "x" })] {
        assert_eq!(ask(&server, Method::PATCH, &path, Some(wrong)).await.0, 422);
    }
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deleted_person_leaves_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "I like my tea, Earl Grey, hot.").await;
    let path = format!("/users/{}", ada.user_id);

    assert_eq!(get(&server, &path).await.1["username"], "ada");
    assert_eq!(ask(&server, Method::DELETE, &path, None).await.0, 204);

    assert_eq!(get(&server, &path).await.0, 404);
    assert_eq!(ask(&server, Method::DELETE, &path, None).await.0, 404);
    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "JWT-09");
    for table in ["SELECT count(*) FROM memories", "SELECT count(*) FROM memory_embeddings", "SELECT count(*) FROM grants"] {
        assert_eq!(number(&pool, table).await, 0, "{table}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_last_administrator_stays(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let everybody = get(&server, "/users").await.1;
    let root = format!("/users/{}", word(&everybody["users"][0]["id"]));
    let ada = server.sign_in("ada").await;

    for change in [json!({ "is_active": false }), json!({ "is_superuser": false })] {
        assert_eq!(ask(&server, Method::PATCH, &root, Some(change)).await.0, 409);
    }
    assert_eq!(ask(&server, Method::DELETE, &root, None).await.0, 409);
    let path = format!("/users/{}", ada.user_id);
    assert_eq!(ask(&server, Method::PATCH, &path, Some(json!({ "is_superuser": true }))).await.0, 200);
    assert_eq!(ask(&server, Method::DELETE, &root, None).await.0, 204, "now there is another one");
    assert_eq!(number(&pool, "SELECT count(*) FROM users WHERE is_superuser AND is_active").await, 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nobody_else_sees_or_changes_anything(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada: Person = server.sign_in("ada").await;

    for (method, path) in [
        (Method::GET, "/clients".to_owned()),
        (Method::GET, format!("/clients/{}", server.client_id)),
        (Method::PUT, format!("/clients/{}", server.client_id)),
        (Method::DELETE, format!("/clients/{}", server.client_id)),
        (Method::POST, format!("/clients/{}/secret", server.client_id)),
        (Method::GET, "/users".to_owned()),
        (Method::GET, format!("/users/{}", ada.user_id)),
        (Method::PATCH, format!("/users/{}", ada.user_id)),
        (Method::DELETE, format!("/users/{}", ada.user_id)),
    ] {
        let request = || server.request(method.clone(), &format!("/api/admin{path}")).json(&json!({ "is_superuser": true }));
        let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
        assert_eq!(status(request().bearer_auth(&ada.token)).await, 403, "SCO-04 {method} {path}");
        assert_eq!(status(request()).await, 401, "{method} {path}");
        assert_eq!(status(request().basic_auth(ADMIN.0, Some("wrong"))).await, 401, "{method} {path}");
    }
    assert!(server.is_welcome_at(&server.url, &ada.token).await);
}
