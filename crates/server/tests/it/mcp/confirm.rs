//! The person is asked before something becomes public, where their client can ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData,
    ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::wire::{modern, send};
use crate::kit::{Person, TestServer, client, merge, number, word};

/// A call of a client that can ask; `more` are the members that come with an answer.
async fn call(server: &TestServer, person: &Person, tool: &str, arguments: &Value, more: Value) -> Value {
    let mut params = json!({ "name": tool, "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } } });
    merge(&mut params, more);
    let (_, answer) = send(modern(server, person, "tools/call", params)).await;
    answer
}

fn answered(question: &Value, answer: &Value) -> Value {
    json!({ "requestState": question["result"]["requestState"], "inputResponses": { "confirm": answer } })
}

fn yes() -> Value {
    json!({ "action": "accept", "content": { "confirm": true } })
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nothing_becomes_public_without_a_yes(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Earl Grey,\u{202e} hot.").await;
    let publish = json!({ "memory_id": id, "permission": "public" });
    let permission = async || server.call(&ada, "get_memory", json!({ "memory_id": id })).await["permission"].clone();

    let question = call(&server, &ada, "modify_permissions", &publish, json!({})).await;

    assert_eq!(question["result"]["resultType"], "input_required", "{question}");
    let asked = &question["result"]["inputRequests"]["confirm"];
    assert_eq!(asked["method"], "elicitation/create");
    let message = word(&asked["params"]["message"]);
    assert!(message.contains("“Earl Grey, hot.”"), "WEB-02 {message:?}");
    assert_eq!(permission().await, "private", "asking changes nothing");

    for no in [
        json!({ "action": "decline" }),
        json!({ "action": "cancel" }),
        json!({ "action": "accept", "content": { "confirm": false } }),
    ] {
        let declined = call(&server, &ada, "modify_permissions", &publish, answered(&question, &no)).await;
        let result = &declined["result"];
        assert_eq!((&result["isError"], &result["structuredContent"]["code"]), (&json!(true), &json!("declined")), "{no}");
    }
    assert_eq!(permission().await, "private");
    let done = call(&server, &ada, "modify_permissions", &publish, answered(&question, &yes())).await;
    assert_eq!(done["result"]["structuredContent"]["permission"], "public", "{done}");
    let again = call(&server, &ada, "modify_permissions", &publish, answered(&question, &yes())).await;
    assert_eq!(again["result"]["structuredContent"]["version"], done["result"]["structuredContent"]["version"], "once");

    let known = call(&server, &ada, "modify_permissions", &publish, json!({})).await;
    assert_eq!(known["result"]["resultType"], "complete", "it is public already: {known}");
    let private = call(&server, &ada, "submit_memory", &json!({ "text": "private" }), json!({})).await;
    assert_eq!(private["result"]["resultType"], "complete");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_answer_counts_for_its_own_call_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let new = json!({ "text": "for all", "permission": "public" });
    let question = call(&server, &ada, "submit_memory", &new, json!({})).await;
    let mut forged = question.clone();
    forged["result"]["requestState"] = format!("{}x", word(&question["result"]["requestState"])).into();
    let other = json!({ "text": "something else", "permission": "public" });

    for (person, data, question) in [(&ada, &other, &question), (&eve, &new, &question), (&ada, &new, &forged)] {
        let refused = call(&server, person, "submit_memory", data, answered(question, &yes())).await;
        assert_eq!(refused["error"]["code"], -32602, "SCO-09 {refused}");
    }
    let malformed = call(&server, &ada, "submit_memory", &new, answered(&question, &json!({ "action": "perhaps" }))).await;
    assert_eq!(malformed["error"]["code"], -32602);
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 0);
    for url in [&server.url, &replica.url] {
        let mut params = json!({ "name": "submit_memory", "arguments": new, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } } });
        merge(&mut params, answered(&question, &yes()));
        let request =
            client().post(format!("{url}/mcp")).bearer_auth(&ada.token).header("accept", "application/json, text/event-stream");
        let request = request
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "submit_memory");
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        assert_eq!(send(request.json(&body)).await.1["result"]["structuredContent"]["permission"], "public");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 1, "answered twice, at two servers: stored once");
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn who_cannot_ask_confirms_by_calling(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let params = json!({ "name": "submit_memories", "arguments": { "memories": [{ "text": "a", "permission": "public" }] } });

    let (_, answer) = send(modern(&server, &ada, "tools/call", params)).await;

    assert_eq!(answer["result"]["structuredContent"]["created"], 1, "{answer}");
}

/// An assistant of an older revision, with somebody in front of it.
#[derive(Clone)]
struct Assistant {
    says_yes: bool,
    asked: Arc<AtomicUsize>,
}

impl ClientHandler for Assistant {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, rmcp::model::Implementation::new("test", "1"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(format!("{request:?}").contains("for all"), "{request:?}");
        let action = if self.says_yes { ElicitationAction::Accept } else { ElicitationAction::Decline };
        Ok(ElicitResult::new(action).with_content(json!({ "confirm": self.says_yes })))
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_client_is_asked_within_its_session(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for says_yes in [false, true] {
        let assistant = Assistant { says_yes, asked: Arc::default() };
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url)).auth_header(&*ada.token);
        let transport = StreamableHttpClientTransport::with_client(client(), config);
        let running =
            assistant.clone().serve_with_lifecycle(transport, ClientLifecycleMode::Initialize).await.expect("a connection");
        let Value::Object(arguments) = json!({ "text": "for all", "permission": "public" }) else { panic!("an object") };

        let result =
            running.call_tool(CallToolRequestParams::new("submit_memory").with_arguments(arguments)).await.expect("a result");

        assert_eq!((result.is_error, assistant.asked.load(Ordering::Relaxed)), (Some(!says_yes), 1));
        assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, i64::from(says_yes));
    }
}
