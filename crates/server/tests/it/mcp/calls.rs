//! Calls while they run: how far they are, and that nobody wants their answer any more.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::sessions;
use super::wire::modern;
use crate::kit::provider::Mood;
use crate::kit::{TestServer, eventually};

/// The messages of an answer, which is JSON or a stream of events.
pub(super) async fn messages(response: Response) -> Vec<Value> {
    let text = response.text().await.expect("a body");
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|data| !data.is_empty());
    let events: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    if events.is_empty() { vec![serde_json::from_str(&text).expect("JSON")] } else { events }
}

fn steps(messages: &[Value]) -> Vec<(i64, i64)> {
    let progress = messages.iter().filter(|message| message["method"] == "notifications/progress");
    progress
        .inspect(|message| assert_eq!(message["params"]["progressToken"], "p-1"))
        .map(|message| {
            let number = |name| message["params"][name].as_f64().map_or(-1, |number| number as i64);
            (number("progress"), number("total"))
        })
        .collect()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_long_call_tells_how_far_it_is(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let rows: Vec<Value> = (0..450).map(|number| json!({ "text": format!("note {number}") })).collect();
    let params = json!({ "name": "submit_memories", "arguments": { "memories": rows } });
    let with_token = |meta: Value| {
        let mut params = params.clone();
        params["_meta"] = meta;
        params["_meta"]["progressToken"] = "p-1".into();
        params
    };
    let modern_meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
    let session = sessions::begin(&server, &ada).await;
    let legacy = sessions::request(&server, reqwest::Method::POST, &ada, &session)
        .json(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": with_token(json!({})) }));

    for request in [modern(&server, &ada, "tools/call", with_token(modern_meta)), legacy] {
        let told = messages(request.send().await.expect("an answer")).await;

        assert_eq!(steps(&told), [(100, 900), (200, 900), (300, 900), (400, 900)]);
        assert_eq!(told.last().expect("the answer")["result"]["structuredContent"]["created"], 450);
    }
    let untold = messages(modern(&server, &ada, "tools/call", params).send().await.expect("an answer")).await;
    assert_eq!(untold.len(), 1, "whoever does not ask is not told");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_read_that_nobody_waits_for_ends(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "tea").await;
    server.provider.set(Mood::Silent);
    let arguments = json!({ "query": "tea", "mode": "semantic" });
    let params = json!({ "name": "query_memory", "arguments": arguments });

    let gone = modern(&server, &ada, "tools/call", params.clone()).timeout(Duration::from_millis(300)).send().await;
    assert!(gone.expect_err("it goes").is_timeout());
    eventually("the provider's request ends", async || server.provider.left() == 1).await;

    let session = sessions::begin(&server, &ada).await;
    let request = |body: Value| sessions::request(&server, reqwest::Method::POST, &ada, &session).json(&body).send();
    let call = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params });
    let cancelled = async {
        eventually("it is asked", async || server.provider.texts().len() == 3).await;
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 9 } });
        assert_eq!(request(body).await.expect("an answer").status(), 202);
        eventually("the provider's request ends", async || server.provider.left() == 2).await;
    };
    tokio::select! {
        _ = async { let _ = request(call).await.expect("an answer").text().await; std::future::pending::<()>().await } => {}
        () = cancelled => {}
    }
}
