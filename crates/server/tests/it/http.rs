//! HTTP itself: paths, methods, bodies, headers.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::{Person, TestServer, number, word};

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// Asserts that an answer is a problem document (RFC 9457) of this status and code; gives it back.
async fn problem(response: Response, status: u16, code: &str, why: &str) -> Value {
    assert_eq!(response.status().as_u16(), status, "{why}");
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{why}");
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let title = response.status().canonical_reason().expect("a title");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{why}: {body}");
    assert_eq!((&body["type"], &body["title"]), (&json!("about:blank"), &json!(title)), "{why}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{why}: {body}");
    assert_eq!(body["request_id"], id, "{why}: the body names the request as the header does");
    body
}

/// A call with this body and content type.
fn call(server: &TestServer, person: &Person, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    server.post("/api/tools").bearer_auth(&person.token).header("content-type", content_type).body(body)
}

/// Sends bytes as they are and gives back what comes until the server closes the connection.
async fn raw(server: &TestServer, parts: &[&[u8]]) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.expect("a connection");
    for part in parts {
        // The server may have had enough already.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    reading.expect("the server closes the connection").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

fn status_makes_something(status: StatusCode) -> bool {
    matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED)
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_path_answers_with_a_slash_at_its_end_too(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let document: Value = send(server.get("/openapi.json")).await.json().await.expect("JSON");
    let mut paths: Vec<String> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    for more in ["/docs", "/docs/docs.js", "/openapi.json", "/mcp", "/api/health", "/.well-known/openid-configuration"] {
        paths.push(more.to_owned());
    }

    for path in paths.iter().filter(|path| *path != "/") {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            if method == Method::DELETE && path == "/api/users/me" {
                // Ada is still needed; elsewhere an account that is gone would answer differently the second time.
                continue;
            }
            let mut answers = Vec::new();
            for path in [path.clone(), format!("{path}/")] {
                let request = server.request(method.clone(), &path).header("x-request-id", "same").bearer_auth(&ada.token);
                let response = send(request.header("content-type", "application/json").body("{}")).await;
                let location = response.headers().get("location").map(|value| value.to_str().expect("text").to_owned());
                let makes_something = status_makes_something(response.status());
                let is_page =
                    response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
                let status = response.status();
                // A page has a token that is made for each visitor; acts are noted a moment after they were done.
                let body = if is_page || makes_something || path.contains("/activity") {
                    String::new()
                } else {
                    response.text().await.expect("a body")
                };
                // What is made twice has two names.
                answers.push((status, location.filter(|_| !makes_something), body));
            }
            assert_eq!(answers[0], answers[1], "{method} {path}");
            assert!(answers[0].1.as_ref().is_none_or(|location| !location.starts_with(path.as_str())), "{method} {path}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_not_there_is_a_problem_document(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for path in [
        "/nothing",
        "/api",
        "/api/tools/x",
        "/api/../etc/passwd",
        "/docs/../Cargo.toml",
        "/docs/nothing.js",
        "/%2e%2e/x",
        "/api/tools;x=y",
    ] {
        let response = send(server.get(path)).await;
        problem(response, 404, "not_found", path).await;
    }
    for path in ["//api/tools", "/api/tools//", "///api/tools"] {
        let response = send(server.post(path).json(&json!({}))).await;
        assert!(matches!(response.status().as_u16(), 401 | 404), "INP-09 {path}: no way around the token");
    }
    for (method, path, allow) in [
        (Method::GET, "/api/tools", "POST"),
        (Method::PUT, "/api/tools", "POST"),
        (Method::DELETE, "/health", "GET,HEAD"),
        (Method::POST, "/openapi.json", "GET,HEAD"),
        (Method::POST, "/docs", "GET,HEAD"),
        (Method::GET, "/api/admin/clients/register", "POST"),
        (Method::GET, "/token", "POST"),
        (Method::PUT, "/register", "POST"),
    ] {
        let response = send(server.request(method.clone(), path)).await;
        assert_eq!(response.headers()["allow"], allow, "RFC 9110 {method} {path}");
        problem(response, 405, "method_not_allowed", path).await;
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_not_json_is_malformed(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let deep = "[".repeat(100_000);
    let deep_data = format!(r#"{{"tool":"submit_memory","data":{{"text":{}}}}}"#, "[".repeat(100_000));
    let utf16: Vec<u8> = r#"{"tool":"get_memories","data":{}}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();

    for body in [
        &b""[..],
        b"{",
        b"{\"tool\":",
        b"nonsense",
        br#"{"tool":"get_memories","data":{}} x"#,
        br#"{"tool":"get_memories","data":{},}"#,
        br#"{"tool":"get_memories","tool":"delete_memory","data":{}}"#,
        br#"{"tool":"get_memories","data":{"limit":1,"limit":2}}"#,
        br#"{"tool":"get_memories","data":{"limit":NaN}}"#,
        br#"{"tool":"get_memories","data":{"limit":1e400}}"#,
        b"{\"tool\":\"submit_memory\",\"data\":{\"text\":\"\xff\xfe\"}}",
        b"{\"tool\":\"submit_memory\",\"data\":{\"text\":\"a\0b\"}}",
        br#"{"tool":"submit_memory","data":{"text":"\ud800"}}"#,
        b"\xef\xbb\xbf{\"tool\":\"get_memories\",\"data\":{}}",
        &utf16,
        deep.as_bytes(),
        deep_data.as_bytes(),
    ] {
        let why = format!("INP-03, INP-04 {:?}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        problem(send(call(&server, &ada, "application/json", body.to_vec())).await, 400, "malformed_json", &why).await;
    }
    let escaped_nul = br#"{"tool":"submit_memory","data":{"text":"a\u0000b"}}"#.to_vec();
    let answer = problem(send(call(&server, &ada, "application/json", escaped_nul)).await, 422, "invalid", "INP-02").await;
    assert_eq!(answer["errors"][0]["field"], "text", "INP-02");
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 0);
    assert!(server.is_welcome_at(&server.url, &ada.token).await, "INP-04: still alive");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_body_is_plain_json_by_its_type(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let body = r#"{"tool":"get_memories","data":{}}"#;

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-7",
        "application/json;charset=utf-16",
        "application/jsonx",
        "multipart/form-data; boundary=x",
        "",
    ] {
        problem(send(call(&server, &ada, kind, body)).await, 415, "unsupported_media_type", &format!("INP-06 {kind}")).await;
    }
    let without = server.post("/api/tools").bearer_auth(&ada.token).body(body);
    problem(send(without).await, 415, "unsupported_media_type", "INP-06: no type").await;
    for coding in ["gzip", "br", "deflate", "gzip, identity"] {
        let request = call(&server, &ada, "application/json", body).header("content-encoding", coding);
        problem(send(request).await, 415, "unsupported_media_type", &format!("INP-06 {coding}")).await;
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        assert_eq!(send(call(&server, &ada, kind, body)).await.status(), 200, "{kind}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_body_has_a_largest_size_however_it_is_sent(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let of = |size: usize| {
        let empty = r#"{"tool":"submit_memory","data":{"text":""}}"#;
        format!(r#"{{"tool":"submit_memory","data":{{"text":"{}"}}}}"#, "x".repeat(size - empty.len()))
    };

    for size in [(1 << 20) + 1, 10 << 20] {
        problem(send(call(&server, &ada, "application/json", of(size))).await, 413, "body_too_large", "INP-01").await;
    }
    let largest = problem(send(call(&server, &ada, "application/json", of(1 << 20))).await, 422, "invalid", "INP-01").await;
    assert_eq!(largest["errors"][0]["field"], "text", "INP-01: it is read, the text is what is too long");

    let head = format!(
        "POST /api/tools HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        server.address(),
        ada.token
    );
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut parts = vec![head.as_bytes()];
    parts.extend(std::iter::repeat_n(chunk.as_bytes(), 17));
    let answer = raw(&server, &parts).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "INP-01: chunked: {answer:.200}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_no_http_is_refused_and_harms_nobody(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let large = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let many: String = (0..10_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let many = format!("GET /health HTTP/1.1\r\nhost: x\r\n{many}\r\n");

    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        &large,
        &many,
        "POST /api/tools HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
    ] {
        let answer = raw(&server, &[request.as_bytes()]).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "INP-08 {request:.40}: {answer:.200}");
    }
    let both = "POST /api/tools HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = raw(&server, &[both.as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "INP-09: {answer:.200}");
    assert_eq!(send(server.get("/health")).await.status(), 200);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_answer_carries_an_id_and_safe_headers(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let call = json!({ "tool": "get_memories", "data": {} });

    for request in [
        server.get("/"),
        server.get("/health"),
        server.get("/nothing"),
        server.get("/docs"),
        server.get("/openapi.json"),
        server.post("/token"),
        server.post("/mcp"),
        server.post("/api/tools"),
        server.post("/api/tools").bearer_auth(&ada.token).json(&call),
        server.request(Method::DELETE, "/api/tools"),
    ] {
        let response = send(request).await;
        let headers = response.headers();
        let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let path = response.url().path();
        assert!(of("x-request-id").parse::<uuid::Uuid>().is_ok(), "{path}: a new id");
        assert_eq!((of("x-content-type-options"), of("x-frame-options")), ("nosniff".into(), "DENY".into()), "{path}");
        assert_eq!(of("referrer-policy"), "no-referrer", "{path}");
        assert!(of("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(of("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!of("cache-control").is_empty(), "{path}");
        assert!(headers.get("server").is_none() && headers.get("x-powered-by").is_none(), "{path}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_id_that_can_stand_in_a_log_is_kept(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let longest = "x".repeat(64);

    for id in ["abc-123_4.5", "0", &longest] {
        let response = send(server.get("/nothing").header("x-request-id", id)).await;
        assert_eq!(response.headers()["x-request-id"], id);
        assert_eq!(problem(response, 404, "not_found", id).await["request_id"], id);
    }
    for id in ["", "a b", "a\tb", "<script>", "ä", "\"x\"", &"x".repeat(65), "\u{1b}[31m"] {
        let Ok(value) = reqwest::header::HeaderValue::from_bytes(id.as_bytes()) else { continue };
        let response = send(server.get("/health").header("x-request-id", value)).await;
        let own = response.headers()["x-request-id"].to_str().expect("text");
        assert!(own.parse::<uuid::Uuid>().is_ok(), "OPS-03 {id:?}: {own}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn no_page_of_another_origin_may_read_an_answer(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for path in ["/api/tools", "/token", "/revoke", "/api/user-tokens/user-token", "/api/admin/clients/register"] {
        for method in [Method::POST, Method::OPTIONS] {
            let request = server.request(method, path).header("origin", "https://evil.example").bearer_auth(&ada.token);
            let response = send(request.header("access-control-request-method", "POST").json(&json!({}))).await;
            assert!(response.headers().get("access-control-allow-origin").is_none(), "INP-13 {path}");
        }
    }
    let public = send(server.get("/.well-known/oauth-authorization-server").header("origin", "https://x.example")).await;
    assert_eq!(public.headers()["access-control-allow-origin"], "*", "browsers may find their way");
    assert!(public.headers().get("access-control-allow-credentials").is_none());
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn links_never_come_from_the_host_header(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let configured = TestServer::spawn_at(
        server.database_url.clone(),
        &["--public-url", "https://memories.example", "--encryption-keys", &server.key()],
    )
    .await;

    for path in ["/", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/openapi.json"] {
        let request = configured
            .get(path)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example");
        let body = send(request).await.text().await.expect("a body");
        assert!(body.contains("https://memories.example") && !body.contains("evil.example"), "OPS-12 {path}: {body:.300}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn programs_in_pages_of_allowed_origins_may_use_what_takes_no_cookie(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--allowed-origins", "https://page.example,https://other.example"]).await;
    let preflight = async |path: &str, method: &str| {
        let request = server.request(Method::OPTIONS, path).header("origin", "https://page.example");
        let request = request.header("access-control-request-method", method);
        let response = send(request.header("access-control-request-headers", "content-type,mcp-protocol-version")).await;
        assert!(response.headers().get("access-control-allow-credentials").is_none(), "INP-13");
        response.headers().get("access-control-allow-origin").map(|value| value.to_str().expect("text").to_owned())
    };

    for path in ["/token", "/api/oauth/token", "/register", "/revoke"] {
        assert_eq!(preflight(path, "POST").await.as_deref(), Some("https://page.example"), "INP-13 {path}");
    }
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp", "/.well-known/jwks.json"]
    {
        assert_eq!(preflight(path, "GET").await.as_deref(), Some("*"), "{path}");
    }
    for path in ["/authorize", "/login", "/consent", "/connections"] {
        assert_eq!(preflight(path, "POST").await, None, "AUT-16 {path}");
    }
    let refused = send(server.post("/token").header("origin", "https://page.example").form(&[("grant_type", "x")])).await;
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://page.example", "a page can read why");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_metadata_lists_what_works(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let mut documents = Vec::new();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
    ] {
        let response = send(server.get(path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        documents.push(response.json::<Value>().await.expect("JSON"));
    }
    assert!(documents.iter().all(|document| *document == documents[0]));
    let document = &documents[0];

    assert_eq!(document["issuer"], server.url, "TOK-15: exactly the configured URL");
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "refresh_token"]), "TOK-15");
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]), "TOK-15");
    assert_eq!(document["response_types_supported"], json!(["code"]), "TOK-15");
    assert_eq!(document["authorization_response_iss_parameter_supported"], true, "AUT-09");
    assert_eq!(document["client_id_metadata_document_supported"], false, "SSR-03");
    assert!(!document["scopes_supported"].to_string().contains("admin"));
    for endpoint in ["token_endpoint", "revocation_endpoint"] {
        let url = word(&document[endpoint]);
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
        let response = send(server.http.post(&url).basic_auth(&server.client_id, Some(&server.client_secret)).form(&form)).await;
        assert!(matches!(response.status().as_u16(), 200 | 400), "TOK-15 {url}");
    }
    assert_eq!(send(server.http.get(word(&document["jwks_uri"]))).await.status(), 200, "TOK-15");
    let home: Value = send(server.get("/")).await.json().await.expect("JSON");
    for link in ["docs", "openapi", "health", "authorization_server", "protected_resource"] {
        assert_eq!(send(server.http.get(word(&home[link]))).await.status(), 200, "{link}");
    }
    assert_eq!((&home["name"], home["version"].is_string()), (&json!("Picard"), true));
}
