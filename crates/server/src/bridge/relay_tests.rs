//! The bridge against a server that answers from a script.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use super::Relay;
use crate::bridge::access::Access;
use crate::bridge::stdio::{Written, printer};
use crate::bridge::{pump, web};

/// A request that has arrived.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn what(&self) -> String {
        format!("{} {}", self.method, self.body["method"].as_str().unwrap_or_default())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a text"))
    }
}

/// How to answer a request, by how many of its kind came before.
type Script = fn(&Seen, usize) -> Response;

#[derive(Clone)]
struct Stub {
    url: String,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let stub = Self { url, script, seen: Arc::default() };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn count(&self, what: &str) -> usize {
        self.seen().iter().filter(|seen| seen.what() == what).count()
    }
}

async fn answer(State(stub): State<Stub>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1024 * 1024).await.expect("a body");
    let seen = Seen { method: parts.method, headers: parts.headers, body: serde_json::from_slice(&bytes).unwrap_or_default() };
    let before = stub.count(&seen.what());
    let response = (stub.script)(&seen, before);
    stub.seen.lock().expect("no panic").push(seen);
    response
}

/// The bridge, without a process around it.
struct Bridge {
    lines: mpsc::Sender<Vec<u8>>,
    written: Written,
    running: JoinHandle<()>,
}

impl Bridge {
    fn to(url: &str) -> Self {
        let url = Url::parse(url).expect("an address");
        let http = web::client(&url).expect("a client");
        let access = Access::of_variable(http.clone(), url.clone(), "t-1".into(), "TOKEN".to_owned());
        let written = Written::default();
        let (output, _) = printer(written.clone());
        let relay = Arc::new(Relay::new(http, url, Arc::new(access), output));
        let (lines, receiver) = mpsc::channel(16);
        let running = tokio::spawn(async move {
            pump(receiver, &relay).await;
            relay.end().await;
        });
        Self { lines, written, running }
    }

    async fn send(&self, message: &Value) {
        self.lines.send(message.to_string().into_bytes()).await.expect("somebody who reads");
    }

    async fn request(&self, id: u32, method: &str) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method })).await;
    }

    /// A request of revision 2026-07-28.
    async fn modern(&self, id: u32, method: &str) {
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": { "_meta": meta } })).await;
    }

    async fn notify(&self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    /// The first lines that come out.
    async fn answers(&self, count: usize) -> Vec<Value> {
        let enough = async {
            while self.written.lines().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enough).await.expect("enough lines");
        self.written.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    async fn end(self) {
        drop(self.lines);
        self.running.await.expect("no panic");
    }
}

fn result(seen: &Seen) -> Response {
    let result = json!({ "protocolVersion": "2025-11-25", "of": seen.body["method"] });
    Json(json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result })).into_response()
}

/// An event stream that stays open, or ends.
fn events(text: &'static str, is_open: bool) -> Response {
    let body = if is_open {
        Body::from_stream(stream::iter([Ok::<_, Infallible>(text)]).chain(stream::pending()))
    } else {
        Body::from(text)
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn with_session(seen: &Seen, _: usize) -> Response {
    let begun = "id: 0\nretry: 10\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":0,\n\
        data: \"result\":{\"protocolVersion\":\"2025-11-25\"}}\n\n";
    match seen.what().as_str() {
        "POST initialize" => ([("mcp-session-id", "s-1")], events(begun, false)).into_response(),
        "POST notifications/initialized" => StatusCode::ACCEPTED.into_response(),
        "GET " => events("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n", true),
        "DELETE " => StatusCode::NO_CONTENT.into_response(),
        _ => result(seen),
    }
}

#[tokio::test]
async fn a_session_is_kept_and_ended() {
    let stub = Stub::start(with_session).await;
    let bridge = Bridge::to(&stub.url);

    bridge.request(0, "initialize").await;
    bridge.notify("notifications/initialized", &json!({})).await;
    bridge.request(1, "tools/list").await;
    let answers = bridge.answers(3).await;
    bridge.end().await;

    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-11-25");
    assert!(answers.iter().any(|answer| answer["id"] == 1));
    assert!(answers.iter().any(|answer| answer["method"] == "notifications/tools/list_changed"));
    let seen = stub.seen();
    let what: Vec<String> = seen.iter().map(Seen::what).collect();
    assert_eq!(what[..2], ["POST initialize", "POST notifications/initialized"], "nothing overtakes them");
    assert_eq!(what.last().map(String::as_str), Some("DELETE "));
    assert_eq!(seen[0].header("mcp-session-id"), None);
    for seen in &seen[1..] {
        assert_eq!((seen.header("mcp-session-id"), seen.header("mcp-protocol-version")), (Some("s-1"), Some("2025-11-25")));
        assert_eq!(seen.header("authorization"), Some("Bearer t-1"));
    }
}

fn forgetful(seen: &Seen, before: usize) -> Response {
    match seen.what().as_str() {
        "POST initialize" => ([("mcp-session-id", if before == 0 { "s-1" } else { "s-2" })], result(seen)).into_response(),
        "POST notifications/initialized" => StatusCode::ACCEPTED.into_response(),
        "POST tools/list" if seen.header("mcp-session-id") == Some("s-1") => StatusCode::NOT_FOUND.into_response(),
        "POST tools/list" => result(seen),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

#[tokio::test]
async fn a_forgotten_session_is_begun_again() {
    let stub = Stub::start(forgetful).await;
    let bridge = Bridge::to(&stub.url);

    bridge.request(0, "initialize").await;
    bridge.notify("notifications/initialized", &json!({})).await;
    bridge.request(1, "tools/list").await;
    bridge.request(2, "tools/list").await;
    let answers = bridge.answers(3).await;
    bridge.end().await;

    assert!(answers.iter().all(|answer| answer["result"].is_object()), "{answers:?}");
    assert_eq!((stub.count("POST initialize"), stub.count("POST notifications/initialized")), (2, 2), "once for both");
    assert_eq!(stub.seen().last().and_then(|seen| seen.header("mcp-session-id").map(str::to_owned)).as_deref(), Some("s-2"));
}

fn busy(seen: &Seen, before: usize) -> Response {
    let wait = [(header::RETRY_AFTER, "0")];
    match seen.what().as_str() {
        "POST tools/list" if before > 0 => result(seen),
        "POST tools/list" => (StatusCode::TOO_MANY_REQUESTS, wait).into_response(),
        "POST tools/call" => {
            (StatusCode::NOT_FOUND, Json(json!({ "jsonrpc": "2.0", "error": { "code": -32601 } }))).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, wait).into_response(),
    }
}

#[tokio::test]
async fn whatever_goes_wrong_is_told_with_the_id() {
    let stub = Stub::start(busy).await;
    let bridge = Bridge::to(&stub.url);

    for (id, method) in [(1, "tools/list"), (2, "ping"), (3, "tools/call")] {
        bridge.modern(id, method).await;
    }
    let answers = bridge.answers(3).await;
    bridge.end().await;

    let of = |id: u32| answers.iter().find(|answer| answer["id"] == id).expect("an answer");
    assert_eq!(of(1)["result"]["of"], "tools/list", "asked once more");
    assert_eq!((&of(2)["error"]["code"], &of(2)["error"]["data"]["status"]), (&json!(-32603), &json!(503)));
    assert_eq!(stub.count("POST ping"), 2);
    assert_eq!(of(3)["error"]["code"], -32601, "the server's own words");
    assert!(stub.seen().iter().all(|seen| seen.header("mcp-session-id").is_none()));

    let closed = Bridge::to("http://127.0.0.1:9/mcp");
    closed.modern(7, "ping").await;
    let answers = closed.answers(1).await;
    assert_eq!((&answers[0]["id"], &answers[0]["error"]["code"]), (&json!(7), &json!(-32603)));
    assert!(answers[0]["error"]["message"].as_str().is_some_and(|text| text.contains("127.0.0.1")), "{answers:?}");
}

fn slow(seen: &Seen, _: usize) -> Response {
    match seen.what().as_str() {
        "POST tools/call" => events(": wait\n\n", true),
        "POST subscriptions/listen" => events("data: {\"method\":\"notifications/subscriptions/acknowledged\"}\n\n", true),
        _ => result(seen),
    }
}

#[tokio::test]
async fn a_cancelled_request_loses_its_connection_and_the_server_hears_nothing() {
    let stub = Stub::start(slow).await;
    let bridge = Bridge::to(&stub.url);

    bridge.modern(1, "tools/call").await;
    bridge.modern(2, "subscriptions/listen").await;
    bridge.modern(3, "tools/list").await;
    bridge.answers(2).await;
    bridge.notify("notifications/cancelled", &json!({ "requestId": 1 })).await;
    bridge.notify("notifications/cancelled", &json!({ "requestId": 3 })).await;
    let written = bridge.written.clone();
    let began = tokio::time::Instant::now();
    bridge.end().await;

    assert!(began.elapsed() < Duration::from_secs(4), "nobody waits for what was cancelled or never ends");
    assert_eq!(written.lines().len(), 2, "{:?}", written.lines());
    assert_eq!(stub.count("POST notifications/cancelled"), 0);
    assert_eq!(stub.count("DELETE "), 0, "there is no session");
}
