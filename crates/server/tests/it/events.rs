//! What a server's log says of what concerns security: one line a case, with fields that do not change.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::Browser;
use crate::kit::process::Process;
use crate::kit::{ADMIN, TestServer, word};

/// Everything that is logged once, who did it, and what else is said.
const EVENTS: [(&str, &[&str]); 15] = [
    ("signed_up", &["user.id"]),
    ("sign_in_failed", &[]),
    ("signed_in", &["user.id"]),
    ("authorization_granted", &["user.id", "client.id"]),
    ("authorization_denied", &["user.id", "client.id"]),
    ("tokens_issued", &["user.id", "client.id"]),
    ("tokens_refreshed", &["user.id", "client.id", "grant.id"]),
    ("refresh_token_reused", &["user.id", "client.id", "grant.id"]),
    ("user_token_issued", &["user.id", "client.id"]),
    ("access_token_revoked", &["user.id", "client.id"]),
    ("client_refused", &[]),
    ("permission_changed", &["user.id", "client.id", "memory.id", "permission"]),
    ("decryption_failed", &["user.id", "memory.id"]),
    ("client_registered", &["user.id", "client.id"]),
    ("rate_limited", &["limit"]),
];

async fn post(server: &TestServer, process: &Process, path: &str, form: &[(&str, &str)], secret: &str) -> (u16, Value) {
    let request = server.http.post(format!("{}{path}", process.url)).basic_auth(&server.client_id, Some(secret));
    let response = request.form(form).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

async fn call(server: &TestServer, process: &Process, token: &str, tool: &str, data: Value) -> (u16, Value) {
    let request = server.http.post(format!("{}/api/tools", process.url)).bearer_auth(token);
    let response = request.json(&json!({ "tool": tool, "data": data })).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

/// A person signs up and in, lets a client in and another time not; its tokens are refreshed, and one comes back.
async fn connect(server: &TestServer, process: &Process) {
    let secret = &server.client_secret;
    let browser = Browser::new(&process.url);
    browser.register("ada").await;
    browser.try_sign_in("ada", "a wrong password").await;
    browser.sign_in("ada", crate::kit::browser::PASSWORD).await;
    let flow = server.flow().with("prompt", Some("consent"));
    let code = browser.code(&flow).await;
    browser.decide(&flow, "deny").await;
    let (_, tokens) = server.exchange_at(&process.url, &flow, &code).await;
    let first = word(&tokens["refresh_token"]);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
    assert_eq!(post(server, process, "/token", &refresh, "a wrong secret").await.0, 401);
    assert_eq!(post(server, process, "/token", &refresh, secret).await.0, 200);
    assert_eq!(post(server, process, "/token", &refresh, secret).await.0, 400);
}

/// A client gets tokens for a person, who changes who sees a memory, asks for one that cannot be read, and asks too often.
async fn use_memories(server: &TestServer, process: &Process, pool: &PgPool) {
    let request = server.http.post(format!("{}/api/user-tokens/user-token", process.url)).json(&json!({
        "client_id": server.client_id, "client_secret": server.client_secret, "username": "grace", "create_if_not_exists": true,
    }));
    let tokens: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let token = word(&tokens["access_token"]);
    let (_, stored) = call(server, process, &token, "submit_memory", json!({ "text": "a canary" })).await;
    let id = &stored["data"]["id"];
    let public = json!({ "memory_id": id, "permission": "public" });
    assert_eq!(call(server, process, &token, "modify_permissions", public).await.0, 200);
    sqlx::query("UPDATE memories SET ciphertext = 'x' || substr(ciphertext, 2)").execute(pool).await.expect("damage");
    assert_eq!(call(server, process, &token, "get_memory", json!({ "memory_id": id })).await.0, 500);
    assert_eq!(call(server, process, &token, "list_personas", json!({})).await.0, 429, "four calls a minute");
    let revoke = [("token", token.as_str())];
    assert_eq!(post(server, process, "/revoke", &revoke, &server.client_secret).await.0, 200);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_concerns_security_is_logged_once_with_who_and_from_where_ops_04(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let process = server.process(&["--refresh-leeway-seconds", "0", "--tool-limit-per-minute", "3"]).await;

    connect(&server, &process).await;
    use_memories(&server, &process, &pool).await;
    let client =
        json!({ "client_name": "Other", "redirect_uris": ["https://other.example.com/cb"], "scopes": ["memories:read"] });
    let request = server.http.request(Method::POST, format!("{}/api/admin/clients/register", process.url));
    let request = request.basic_auth(ADMIN.0, Some(ADMIN.1)).json(&client);
    assert_eq!(request.send().await.expect("an answer").status(), 201);
    let log: Vec<Value> = process.log().await.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();

    for (event, fields) in EVENTS {
        let lines: Vec<&Value> = log.iter().filter(|line| line["event"] == event).collect();
        let [line] = lines.as_slice() else { panic!("OPS-04: {event} is logged {} times", lines.len()) };
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "OPS-04: in UTC: {line}");
        assert_eq!(line["span"]["client.address"], "127.0.0.1", "OPS-04 {line}");
        assert!(line["span"]["request.id"].is_string(), "OPS-04 {line}");
        for field in fields {
            assert!(line[field].is_string(), "OPS-04: {event} does not say {field}: {line}");
        }
    }
    for secret in ["canary", "@example.org", "a wrong"] {
        let said = |line: &&Value| line.to_string().contains(secret) && line["event"].is_string();
        assert_eq!(log.iter().find(said), None, "OPS-02: {secret}");
    }
}
