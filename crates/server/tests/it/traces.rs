//! Traces by OTLP: they belong to the trace that a client names, and hold nothing of anybody's.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::kit::TestServer;
use crate::mcp::wire::{modern_at, send};

/// Everything that a collector was sent.
type Received = Arc<Mutex<Vec<u8>>>;

async fn collector() -> (String, Received) {
    let received = Received::default();
    let take = |State(received): State<Received>, body: Bytes| async move {
        received.lock().expect("the lock").extend_from_slice(&body);
        StatusCode::OK
    };
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

/// Ids stand in the messages as bytes.
fn holds(received: &Received, needle: &[u8]) -> bool {
    received.lock().expect("the lock").windows(needle.len()).any(|window| window == needle)
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn requests_join_the_traces_of_their_clients(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (collector, received) = collector().await;
    let process = server.process(&["--otel-exporter-otlp-endpoint", &collector]).await;
    let (of_header, of_meta) = ([0xA1_u8; 16], [0xB2_u8; 16]);
    let parent = |id: [u8; 16]| {
        let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("00-{digits}-00f067aa0ba902b7-01")
    };

    let call = json!({ "tool": "submit_memory", "data": { "text": "a canary sings" } });
    let request = server.http.post(format!("{}/api/tools", process.url)).bearer_auth(&ada.token).json(&call);
    let request = request.header("traceparent", parent(of_header)).header("x-request-id", "by-header");
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": parent(of_meta),
    });
    let params = json!({ "name": "query_memory", "arguments": { "query": "canary" }, "_meta": meta });
    let request = modern_at(&process.url, &ada, "tools/call", params).header("x-request-id", "by-meta");
    assert_eq!(send(request).await.0, StatusCode::OK);
    process.stop().await;

    for needle in [&of_header[..], &of_meta, b"by-header", b"by-meta", b"/api/tools", b"picard-server"] {
        assert!(holds(&received, needle), "{} is missing", String::from_utf8_lossy(needle));
    }
    for secret in ["canary", &ada.token, &server.database_url] {
        assert!(!holds(&received, secret.as_bytes()), "LLM-10, OPS-02: {secret} is in a trace");
    }
}
