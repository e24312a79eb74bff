//! What rmcp's client would never send, and what it does not show, over plain HTTP.

use picard_app::catalogue::CATALOGUE;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, client, merge};

/// A request of revision 2026-07-28.
pub(crate) fn modern(server: &TestServer, person: &Person, method: &str, params: Value) -> RequestBuilder {
    modern_at(&server.url, person, method, params)
}

pub(crate) fn modern_at(url: &str, person: &Person, method: &str, params: Value) -> RequestBuilder {
    let mut with_meta = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    } });
    let name = params.get("name").or(params.get("uri")).and_then(Value::as_str).map(str::to_owned);
    merge(&mut with_meta, params);
    let mut request = plain_at(url, person).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    if let Some(name) = name {
        request = request.header("mcp-name", name);
    }
    request.json(&json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": with_meta }))
}

fn plain(server: &TestServer, person: &Person) -> RequestBuilder {
    plain_at(&server.url, person)
}

fn plain_at(url: &str, person: &Person) -> RequestBuilder {
    client().post(format!("{url}/mcp")).bearer_auth(&person.token).header("accept", "application/json, text/event-stream")
}

pub(crate) async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or(Value::Null))
}

fn challenge(response: &Response) -> String {
    response.headers()["www-authenticate"].to_str().expect("a challenge").to_owned()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t17_a_missing_scope_is_a_challenge(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let reader = server.sign_in_with("ada", "memories:read").await;
    let writer = server.sign_in_with("ada", "memories:write").await;
    let write = json!({ "name": "submit_memory", "arguments": { "text": "x" } });

    for (person, method, params, scope) in [
        (&reader, "tools/call", write, "memories:write"),
        (&writer, "tools/call", json!({ "name": "get_memories", "arguments": {} }), "memories:read"),
        (&writer, "resources/list", json!({}), "memories:read"),
        (&writer, "resources/templates/list", json!({}), "memories:read"),
        (&writer, "resources/read", json!({ "uri": "memories://x" }), "memories:read"),
    ] {
        let legacy = plain(&server, person).json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        for request in [modern(&server, person, method, params), legacy] {
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "SCO-05 {method}");
            let challenge = challenge(&response);
            assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
            assert!(challenge.contains(&format!(r#"scope="{scope}""#)), "{challenge}");
            assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp"), "{challenge}");
        }
    }
    for person in [&reader, &writer] {
        let (status, answer) = send(modern(&server, person, "tools/list", json!({}))).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            answer["result"]["tools"].as_array().map(Vec::len),
            Some(CATALOGUE.len()),
            "SCO-05: the list is the same for all"
        );
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn headers_that_contradict_the_body_are_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let reader = server.sign_in_with("ada", "memories:read").await;
    let lying = |person| {
        let body = modern(&server, person, "tools/call", json!({ "name": "submit_memory", "arguments": { "text": "x" } }));
        let mut request = body.build().expect("a request");
        request.headers_mut().insert("mcp-name", "get_memories".parse().expect("a header"));
        RequestBuilder::from_parts(server.http.clone(), request)
    };

    let (status, answer) = send(lying(&ada)).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32020)), "SCO-07");

    let (status, _) = send(lying(&reader)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "SCO-07: the body decides");
    assert_eq!(server.call(&ada, "retrieve_memories", json!({})).await["total"], 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t11_what_is_no_message_is_refused_in_the_protocols_words(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let call =
        r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "submit_memory", "arguments": {"text": "x"}}}"#;
    let deep = format!(r#"{{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}"#, "[".repeat(100_000));

    for (body, code) in [
        ("{".to_owned(), -32700),
        (deep, -32700),
        (call.replacen("\"id\"", "\"id\": 0, \"id\"", 1), -32700),
        (format!("[{call}]"), -32600),
        ("[]".to_owned(), -32600),
        ("{}".to_owned(), -32600),
        (call.replacen("\"id\": 1", "\"id\": null", 1), -32600),
    ] {
        let request = plain(&server, &ada).header("content-type", "application/json").body(body.clone());
        let (status, answer) = send(request).await;
        let short = &body[..body.len().min(60)];
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "T11, SCO-10, INP-04 {short}");
        assert_eq!(answer["id"], Value::Null, "{short}");
    }
    let large = plain(&server, &ada).header("content-type", "application/json").body(" ".repeat(1024 * 1024 + 1));
    assert_eq!(send(large).await.0, StatusCode::PAYLOAD_TOO_LARGE, "SCO-10");
    let no_json = plain(&server, &ada).header("content-type", "text/plain").body(call);
    assert_eq!(send(no_json).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE, "INP-06");
    assert_eq!(server.call(&ada, "retrieve_memories", json!({})).await["total"], 0, "nothing was carried out");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t01_t02_other_origins_and_hosts_are_refused(pool: PgPool) {
    let arguments = ["--allowed-hosts", "picard.example", "--allowed-origins", "https://app.example"];
    let server = TestServer::spawn_with(&pool, &arguments).await;
    let ada = server.sign_in("ada").await;
    let status = async |name: &'static str, value: &str| {
        send(modern(&server, &ada, "server/discover", json!({})).header(name, value)).await.0
    };
    let port = server.address().port();

    for good in [server.url.clone(), format!("http://localhost:{port}"), "https://app.example".to_owned()] {
        assert_eq!(status("origin", &good).await, StatusCode::OK, "T1 {good}");
    }
    for bad in ["https://evil.example", "null", "https://localhost", "https://app.example:8443", "http://app.example"] {
        assert_eq!(status("origin", bad).await, StatusCode::FORBIDDEN, "SCO-08, T1 {bad}");
    }
    for good in ["picard.example", "picard.example:8001", "localhost"] {
        assert_eq!(status("host", good).await, StatusCode::OK, "T2 {good}");
    }
    assert_eq!(status("host", "evil.example").await, StatusCode::FORBIDDEN, "SCO-08, T2");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn pages_of_answered_origins_may_call(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--allowed-origins", "https://app.example"]).await;
    let preflight = async |origin: &str| {
        let request = server.request(reqwest::Method::OPTIONS, "/mcp").header("origin", origin);
        let request =
            request.header("access-control-request-method", "POST").header("access-control-request-headers", "mcp-method");
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.headers().get("access-control-allow-origin").cloned())
    };
    assert_eq!(preflight("https://app.example").await, (200, Some("https://app.example".parse().expect("a header"))));
    assert_eq!(preflight("https://evil.example").await, (200, None), "INP-13");

    let response = server.post("/mcp").header("origin", "https://app.example").json(&json!({})).send().await.expect("an answer");

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    let exposed = response.headers()["access-control-expose-headers"].to_str().expect("text").to_owned();
    assert!(exposed.contains("www-authenticate") && exposed.contains("mcp-session-id"), "{exposed}");
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t07_t09_what_may_be_kept_and_whose_it_is_are_said_truly(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Earl Grey.").await;

    for (method, params, scope) in [
        ("server/discover", json!({}), "public"),
        ("tools/list", json!({}), "public"),
        ("resources/templates/list", json!({}), "public"),
        ("prompts/list", json!({}), "public"),
        ("resources/list", json!({}), "private"),
        ("resources/read", json!({ "uri": format!("memories://{id}") }), "private"),
    ] {
        let (status, answer) = send(modern(&server, &ada, method, params)).await;
        assert_eq!(status, StatusCode::OK, "{method} {answer}");
        let result = &answer["result"];
        assert_eq!((&result["cacheScope"], &result["resultType"]), (&json!(scope), &json!("complete")), "T7 {method}");
        assert_eq!(result["ttlMs"].as_u64() == Some(0), scope == "private", "MEM-06 {method}");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "picard", "T9 {method}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t18_discovery_names_what_is_spoken_and_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let (_, answer) = send(modern(&server, &ada, "server/discover", json!({}))).await;
    assert_eq!(answer["result"]["supportedVersions"], json!(["2025-06-18", "2025-11-25", "2026-07-28"]), "T18");
    assert_eq!(
        answer["result"]["capabilities"],
        json!({ "tools": {}, "resources": { "subscribe": true, "listChanged": true }, "prompts": {}, "completions": {} })
    );

    for (method, params, status, code) in [
        ("resources/subscribe", json!({ "uri": "memories://x" }), 404, -32601),
        ("subscriptions/listen", json!({}), 200, -32602),
        ("no/such/method", json!({}), 404, -32601),
        ("tools/list", json!({ "cursor": "x" }), 200, -32602),
        ("resources/templates/list", json!({ "cursor": "x" }), 200, -32602),
        ("prompts/list", json!({ "cursor": "x" }), 200, -32602),
        ("prompts/get", json!({ "name": "recall", "arguments": [] }), 200, -32602),
        ("completion/complete", json!({}), 200, -32602),
        ("tools/call", json!({ "name": "get_memories", "arguments": [] }), 200, -32602),
        ("resources/read", json!({ "uri": 1 }), 200, -32602),
    ] {
        let (answered, answer) = send(modern(&server, &ada, method, params)).await;
        assert_eq!((answered.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{method} {answer}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_a_token_nothing_is_answered(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let nobody = Person { token: String::new(), refresh_token: String::new(), user_id: String::new() };

    let response = modern(&server, &nobody, "server/discover", json!({})).send().await.expect("an answer");

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(challenge(&response).contains("/.well-known/oauth-protected-resource/mcp"));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_refusal_of_the_transport_is_a_problem_document_too(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let with_token = |request: RequestBuilder| request.bearer_auth(&ada.token);

    for (request, status, code) in [
        (with_token(server.post("/mcp")).header("accept", "application/json").json(&ping), 406, "not_acceptable"),
        (plain(&server, &ada).header("origin", "https://evil.example").json(&ping), 403, "forbidden"),
        (with_token(server.request(reqwest::Method::PUT, "/mcp")), 405, "method_not_allowed"),
        (plain(&server, &ada).header("mcp-session-id", "unknown").json(&ping), 404, "not_found"),
    ] {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{status}");
        assert!(response.headers().contains_key("x-request-id"));
        let body: Value = response.json().await.expect("JSON");
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{body}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
    }
}
