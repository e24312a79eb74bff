//! Clients that register themselves.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::{Browser, Flow};
use crate::kit::{ADMIN, TestServer, number, word};

const CLIENTS: &str = "SELECT count(*) FROM clients WHERE origin = 'registration'";

async fn register(server: &TestServer, body: &Value) -> (u16, Value) {
    let response = server.post("/register").json(body).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_registers_in_either_form(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for (method, has_secret) in [("none", false), ("client_secret_basic", true), ("client_secret_post", true)] {
        let (status, client) = register(
            &server,
            &json!({
                "redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": method,
                "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "something": "else",
            }),
        )
        .await;
        assert_eq!((status, client["client_secret"].is_string()), (201, has_secret), "REG-12 {client}");
        assert_eq!(client["token_endpoint_auth_method"], method, "REG-12");
        assert_eq!(client["client_secret_expires_at"].is_number(), has_secret, "RFC 7591 section 3.2.1");
        assert_eq!(client["scope"], "memories:read memories:write");
        assert!(word(&client["client_id"]).parse::<uuid::Uuid>().is_ok());
    }
    let short = json!({ "client_name": "App", "redirect_uris": ["https://app.example.com/cb"], "scopes": ["memories:read"], "is_confidential": true });
    let (status, client) = register(&server, &short).await;
    assert_eq!(
        (status, &client["scopes"], &client["is_confidential"]),
        (201, &json!(["memories:read"]), &json!(true)),
        "{client}"
    );
    assert_eq!(word(&client["client_secret"]).len(), 43, "REG-03");
    assert_eq!(number(&pool, CLIENTS).await, 4);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_wrong_is_refused_and_nothing_is_stored(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let good = json!(["https://app.example.com/cb"]);
    let long = format!("https://a.com/{}", "x".repeat(3_000));

    for uri in [
        "http://evil.com/cb",
        "javascript:alert(1)",
        "data:,x",
        "file:///x",
        "https://a/cb#f",
        "https://a@evil.com/",
        "https://*.a.com/",
        "//x/cb",
        "",
        "https://a/\r\nSet-Cookie:x",
        &long,
    ] {
        let (status, body) = register(&server, &json!({ "redirect_uris": [uri] })).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_redirect_uri")), "REG-05 {uri}");
    }
    for (body, code) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": good, "scope": "memories:admin" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": good, "grant_types": ["password"] }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": good, "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }),
            "invalid_client_metadata",
        ),
        (json!({ "redirect_uris": good, "token_endpoint_auth_method": "tls_client_auth" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": good, "logo_uri": "http://169.254.169.254/" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": good, "client_name": "x".repeat(10_000) }), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
    ] {
        let (status, answer) = register(&server, &body).await;
        assert_eq!((status, answer["error"].as_str()), (400, Some(code)), "REG-04, REG-07, REG-09, REG-10, REG-12 {body}");
        assert!(answer["error_description"].is_string());
    }
    let plain = server.post("/register").header("content-type", "text/plain").body("{}").send().await.expect("an answer");
    assert_eq!(plain.status(), 415);
    let broken = server.post("/register").header("content-type", "application/json").body("{").send().await.expect("an answer");
    assert_eq!(broken.status(), 400);
    assert_eq!(number(&pool, CLIENTS).await, 0, "REG-05");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nobody_chooses_an_identity_or_changes_another_client(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let greedy = json!({ "client_id": server.client_id, "client_secret": "mine", "origin": "administrator", "is_active": true });
    let client = server.register_itself(greedy).await;
    assert_ne!(client["client_id"], server.client_id, "REG-04");

    let path = format!("/api/admin/clients/{}", server.client_id);
    for method in [Method::PUT, Method::DELETE, Method::GET] {
        let request = server.request(method.clone(), &path).bearer_auth("a-registration-access-token").json(&json!({}));
        assert_eq!(request.send().await.expect("an answer").status(), 401, "REG-13 {method}");
    }
    for path in [format!("/register/{}", server.client_id), "/register".to_owned()] {
        let status = server.request(Method::DELETE, &path).send().await.expect("an answer").status();
        assert!(matches!(status.as_u16(), 404 | 405), "REG-13 {path} {status}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_authenticates_as_it_registered(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ask = async |id: &str, secret: &str, is_basic: bool| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", "x")];
        let mut request = server.post("/token");
        if is_basic {
            request = request.basic_auth(id, Some(secret));
        } else {
            form.extend([("client_id", id), ("client_secret", secret)]);
        }
        let answer: Value = request.form(&form).send().await.expect("an answer").json().await.expect("JSON");
        word(&answer["error"])
    };

    for (method, basic, post) in [
        (json!("client_secret_basic"), "invalid_grant", "invalid_client"),
        (json!("client_secret_post"), "invalid_client", "invalid_grant"),
        (json!(null), "invalid_grant", "invalid_grant"),
    ] {
        let client = server.register_itself(json!({ "token_endpoint_auth_method": method })).await;
        let (id, secret) = (word(&client["client_id"]), word(&client["client_secret"]));
        assert_eq!(
            (ask(&id, &secret, true).await.as_str(), ask(&id, &secret, false).await.as_str()),
            (basic, post),
            "TOK-09 {method}"
        );
        assert_eq!(ask(&id, "wrong", true).await, "invalid_client", "TOK-09");
    }
    let public = word(&server.register_itself(json!({})).await["client_id"]);
    assert_eq!(ask(&public, "a secret", false).await, "invalid_client", "TOK-11");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_self_registered_client_never_names_a_person(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let client = server.register_itself(json!({ "token_endpoint_auth_method": "client_secret_post" })).await;

    let body = json!({ "client_id": client["client_id"], "client_secret": client["client_secret"], "username": "ada", "create_if_not_exists": true });
    let response = server.post("/api/user-tokens/user-token").json(&body).send().await.expect("an answer");
    assert_eq!(response.status(), 403, "UTK-01");
    assert_eq!(response.json::<Value>().await.expect("JSON")["error"], "unauthorized_client", "UTK-01");
    assert_eq!(number(&pool, "SELECT count(*) FROM users").await, 1, "UTK-01");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_operator_decides_who_may_register(pool: PgPool) {
    let loopback = TestServer::spawn_with(&pool, &["--dynamic-registration", "loopback"]).await;
    assert_eq!(register(&loopback, &json!({ "redirect_uris": ["http://localhost/cb"] })).await.0, 201, "REG-06");
    let (status, body) = register(&loopback, &json!({ "redirect_uris": ["https://app.example.com/cb"] })).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_redirect_uri")));

    let off = TestServer::spawn_with(&pool, &["--dynamic-registration", "off", "--encryption-keys", &loopback.key()]).await;
    let (status, body) = register(&off, &json!({ "redirect_uris": ["http://localhost/cb"] })).await;
    assert_eq!((status, &body["error"]), (403, &json!("access_denied")));
    let metadata: Value =
        off.get("/.well-known/oauth-authorization-server").send().await.expect("an answer").json().await.expect("JSON");
    assert!(metadata.get("registration_endpoint").is_none());
    off.register_client("By an administrator", true).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_that_nobody_uses_goes_after_a_day(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let store = picard_storage::Store::new(pool.clone(), server.key_ring().into(), picard_domain::Clock::system());
    let browser = Browser::of(&server, "ada").await;
    let (used, unused, fresh) = (
        word(&server.register_itself(json!({})).await["client_id"]),
        word(&server.register_itself(json!({})).await["client_id"]),
        word(&server.register_itself(json!({})).await["client_id"]),
    );
    let (access, _) = server.connect(&browser, &used).await;
    let yesterday = "UPDATE clients SET created_at = now() - interval '25 hours' WHERE id::text <> $1";
    sqlx::query(yesterday).bind(&fresh).execute(&pool).await.expect("an update");

    assert_eq!(store.purge_unused_clients().await.expect("an answer"), 1, "REG-11");

    assert_eq!(browser.get(&Flow::new(&unused, "http://127.0.0.1/cb").path()).await.status, 400, "REG-11");
    assert_eq!(browser.get(&Flow::new(&fresh, "http://127.0.0.1/cb").path()).await.status, 200);
    assert!(server.is_welcome_at(&server.url, &access).await);
    let stats = server.get("/api/admin/stats").basic_auth(ADMIN.0, Some(ADMIN.1)).send().await.expect("an answer");
    assert_eq!(stats.json::<Value>().await.expect("JSON")["self_registered_clients"], 2, "REG-11: visible");
}
