//! Sessions of clients up to revision 2025-11-25, over plain HTTP.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, client};

const SESSION: &str = "mcp-session-id";

pub(super) fn request(server: &TestServer, method: Method, person: &Person, session: &str) -> RequestBuilder {
    request_at(&server.url, method, person, session)
}

pub(super) fn request_at(url: &str, method: Method, person: &Person, session: &str) -> RequestBuilder {
    client()
        .request(method, format!("{url}/mcp"))
        .bearer_auth(&person.token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .header(SESSION, session)
}

async fn initialize(url: &str, person: &Person, version: &str) -> Response {
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
    let request =
        client().post(format!("{url}/mcp")).bearer_auth(&person.token).header("accept", "application/json, text/event-stream");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let response = request.json(&body).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    response
}

pub(super) async fn begin(server: &TestServer, person: &Person) -> String {
    begin_at(&server.url, person).await
}

pub(super) async fn begin_at(url: &str, person: &Person) -> String {
    let response = initialize(url, person, "2025-11-25").await;
    response.headers()[SESSION].to_str().expect("a session id").to_owned()
}

async fn ping(server: &TestServer, person: &Person, session: &str) -> StatusCode {
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" });
    request(server, Method::POST, person, session).json(&body).send().await.expect("an answer").status()
}

/// The message in a JSON body or in an event stream.
async fn message(response: Response) -> Value {
    let text = response.text().await.expect("a body");
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).find(|data| !data.is_empty());
    serde_json::from_str(data.unwrap_or(&text)).expect("JSON")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t03_t12_a_session_belongs_to_the_person_who_began_it(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let session = begin(&server, &ada).await;

    assert_eq!(ping(&server, &bob, &session).await, StatusCode::NOT_FOUND, "SCO-09, T3");
    for method in [Method::GET, Method::DELETE] {
        let answer = request(&server, method.clone(), &bob, &session).send().await.expect("an answer");
        let unknown = request(&server, method.clone(), &bob, "unknown").send().await.expect("an answer");
        assert_eq!((answer.status(), unknown.status()), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND), "T3 {method}");
        let (mut answer, mut unknown) = (message(answer).await, message(unknown).await);
        // The only member that may differ.
        (answer["request_id"], unknown["request_id"]) = (Value::Null, Value::Null);
        assert_eq!(answer, unknown, "T3 {method}");
    }
    assert_eq!(ping(&server, &ada, &session).await, StatusCode::OK);

    let ended = request(&server, Method::DELETE, &ada, &session).send().await.expect("an answer");
    assert_eq!(ended.status(), StatusCode::NO_CONTENT, "T12");
    assert_eq!(ping(&server, &ada, &session).await, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_session_is_no_authentication(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let session = begin(&server, &ada).await;
    let nobody = Person { token: "x".to_owned(), ..ada.clone() };
    let reader = server.sign_in_with("ada", "memories:read").await;

    assert_eq!(ping(&server, &nobody, &session).await, StatusCode::UNAUTHORIZED, "SCO-09");

    let params = json!({ "name": "submit_memory", "arguments": { "text": "x" } });
    let body = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params });
    let answer = request(&server, Method::POST, &reader, &session).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "each request has its own token's scopes");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t04_a_person_has_many_sessions_but_not_endlessly_many(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let first = begin(&server, &ada).await;
    let second = begin(&server, &ada).await;
    for _ in 0..48 {
        begin(&server, &ada).await;
    }
    // Uses are noted to the minute.
    sqlx::query("UPDATE mcp_sessions SET last_used_at = created_at - interval '1 hour'").execute(&pool).await.expect("time");
    assert_eq!(ping(&server, &ada, &first).await, StatusCode::OK);

    begin(&server, &ada).await;

    assert_eq!(ping(&server, &ada, &first).await, StatusCode::OK, "it has just been used");
    assert_eq!(ping(&server, &ada, &second).await, StatusCode::NOT_FOUND, "T4: the longest unused one made room");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_client_is_answered_in_a_revision_that_is_spoken(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for (asked, answered) in [("2024-11-05", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2026-07-28", "2025-11-25")] {
        let answer = message(initialize(&server.url, &ada, asked).await).await;
        assert_eq!(answer["result"]["protocolVersion"], answered, "T18 {asked}");
        assert_eq!(answer["result"]["serverInfo"]["name"], "picard");
        assert!(answer["result"]["instructions"].as_str().is_some_and(|text| text.len() < 600));
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_sessions_older_clients_are_served_too(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--mcp-mode", "stateless"]).await;
    let ada = server.sign_in("ada").await;

    let begun = initialize(&server.url, &ada, "2025-06-18").await;
    assert!(begun.headers().get(SESSION).is_none());
    assert_eq!(message(begun).await["result"]["protocolVersion"], "2025-06-18");

    let params = json!({ "name": "submit_memory", "arguments": { "text": "Earl Grey." } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = request(&server, Method::POST, &ada, "any").json(&body).send().await.expect("an answer");
    assert_eq!(message(answer).await["result"]["structuredContent"]["text"], "Earl Grey.");

    for method in [Method::GET, Method::DELETE] {
        let answer = request(&server, method, &ada, "any").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_stop_ends_open_streams(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let session = begin(&server, &ada).await;
    let stream = request(&server, Method::GET, &ada, &session).send().await.expect("a stream");
    assert_eq!(stream.status(), StatusCode::OK);

    let stopped = tokio::time::timeout(Duration::from_secs(10), server.stop());
    let (stopped, rest) = tokio::join!(stopped, stream.text());

    assert!(stopped.is_ok(), "T10: the stop waits for no stream");
    assert!(rest.is_ok(), "T10: the stream ends instead of breaking");
}
