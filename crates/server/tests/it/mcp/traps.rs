//! What rmcp does otherwise than one expects, as far as no other test shows it: each is named after its number.

use picard_app::catalogue::CATALOGUE;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::wire::{modern, send};
use super::{REVISIONS, call, connect, sessions};
use crate::kit::TestServer;

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t06_prompts_have_a_lifetime_and_one_page(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let (_, listed) = send(modern(&server, &ada, "prompts/list", json!({}))).await;
    let (_, refused) = send(modern(&server, &ada, "prompts/list", json!({ "cursor": "x" }))).await;

    assert!(listed["result"]["ttlMs"].as_u64().is_some_and(|ttl| ttl > 0), "{listed}");
    assert_eq!(listed["result"]["prompts"].as_array().map(Vec::len), Some(3));
    assert_eq!(refused["error"]["code"], -32602);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t13_no_tool_takes_what_it_does_not_know(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for revision in &REVISIONS {
        let client = connect(&server, &ada, revision).await;
        for tool in CATALOGUE.iter() {
            assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
            let result = call(&client, tool.name, json!({ "no_such_member": 1 })).await;
            assert_eq!(result.is_error, Some(true), "{revision} {}", tool.name);
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t16_older_clients_without_sessions_cannot_subscribe(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--mcp-mode", "stateless"]).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    let params = json!({ "uri": format!("memories://{id}") });
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": params });

    let answer = sessions::request(&server, Method::POST, &ada, "any").json(&body).send().await.expect("an answer");

    assert!(answer.text().await.expect("a body").contains("-32601"), "nothing is promised that is not kept");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t19_streams_are_not_compressed(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let listen = json!({ "notifications": { "resourcesListChanged": true } });
    let request = modern(&server, &ada, "subscriptions/listen", listen).header("accept-encoding", "gzip, br, zstd");

    let response = request.send().await.expect("an answer");

    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("content-encoding"));
    assert_eq!(response.headers()["x-accel-buffering"], "no");
}

#[test]
fn t20_calls_can_change_threads() {
    fn is_send<T: Send>(_: impl Fn(&'static picard_app::App, &'static picard_domain::Caller) -> T) {}
    is_send(|app, caller| app.call_tool(caller, "get_memory", json!({}), picard_app::CallOptions::default()));
}
