//! Two servers behind a plain proxy, and clients that do not know.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, Response, StatusCode};
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData,
    Implementation, ProtocolVersion, ResourceUpdatedNotificationParam, SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::wire::{modern_at, send};
use super::{REVISIONS, sessions};
use crate::kit::round_robin::RoundRobin;
use crate::kit::{Person, TestServer, client, number, word};

const SOON: Duration = Duration::from_secs(10);
/// Long enough for everything that is told to have arrived.
const QUIET: Duration = Duration::from_millis(700);

/// An assistant of an older revision that hears of changes, and whose person agrees to everything.
#[derive(Clone)]
struct Assistant {
    revision: ProtocolVersion,
    heard: mpsc::UnboundedSender<String>,
}

impl ClientHandler for Assistant {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("test", "1")).with_protocol_version(self.revision.clone())
    }

    async fn on_resource_updated(&self, about: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        let _ = self.heard.send(about.uri);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        let _ = self.heard.send("list".to_owned());
    }

    async fn create_elicitation(&self, _: ElicitRequestParams, _: RequestContext<RoleClient>) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "confirm": true })))
    }
}

struct Connected {
    client: RunningService<RoleClient, Assistant>,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Connected {
    async fn to(url: &str, person: &Person, revision: &ProtocolVersion) -> Self {
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{url}/mcp")).auth_header(&*person.token);
        let transport = StreamableHttpClientTransport::with_client(client(), config);
        let (sender, heard) = mpsc::unbounded_channel();
        let assistant = Assistant { revision: revision.clone(), heard: sender };
        let client = assistant.serve_with_lifecycle(transport, ClientLifecycleMode::Initialize).await.expect("a connection");
        Self { client, heard }
    }

    async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        let call = CallToolRequestParams::new(tool).with_arguments(arguments);
        let result = tokio::time::timeout(SOON, self.client.call_tool(call)).await.expect("soon").expect("a result");
        assert_ne!(result.is_error, Some(true), "{tool} {result:?}");
        result.structured_content.expect("structured content")
    }

    #[expect(deprecated, reason = "that is how older clients do it")]
    async fn subscribe(&self, uri: &str) {
        self.client.subscribe(SubscribeRequestParams::new(uri)).await.expect("a subscription");
    }

    #[expect(deprecated, reason = "that is how older clients do it")]
    async fn unsubscribe(&self, uri: &str) {
        self.client.unsubscribe(UnsubscribeRequestParams::new(uri)).await.expect("the end of it");
    }

    /// Waits until the client has its stream, which it opens when it likes, and everything is told that was to be told.
    async fn listens(&mut self, server: &TestServer, person: &Person) {
        loop {
            server.remember(person, "Is anybody there?").await;
            if !self.hears_nothing().await {
                break;
            }
        }
        while !self.hears_nothing().await {}
    }

    async fn hears(&mut self) -> String {
        tokio::time::timeout(SOON, self.heard.recv()).await.expect("something is told").expect("it is connected")
    }

    async fn hears_two(&mut self) -> [String; 2] {
        let mut both = [self.hears().await, self.hears().await];
        both.sort();
        both
    }

    async fn hears_nothing(&mut self) -> bool {
        tokio::time::timeout(QUIET, self.heard.recv()).await.is_err()
    }
}

async fn ping(url: &str, person: &Person, session: &str) -> StatusCode {
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" });
    sessions::request_at(url, Method::POST, person, session).json(&body).send().await.expect("an answer").status()
}

async fn stream(url: &str, person: &Person, session: &str) -> Response {
    let response = sessions::request_at(url, Method::GET, person, session).send().await.expect("a stream");
    assert_eq!(response.status(), StatusCode::OK);
    response
}

/// Reads a stream until nothing has come for a while.
async fn said(stream: &mut Response) -> String {
    let mut text = String::new();
    while let Ok(Ok(Some(piece))) = tokio::time::timeout(QUIET, stream.chunk()).await {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_client_notices_no_proxy(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let proxy = RoundRobin::spawn(&[&server.url, &replica.url]).await;
    let ada = server.sign_in("ada").await;
    for revision in &REVISIONS[..2] {
        let mut assistant = Connected::to(&proxy.url, &ada, revision).await;
        let id = word(&assistant.call("submit_memory", json!({ "text": "Earl Grey." })).await["id"]);
        for _ in 0..20 {
            assert_eq!(assistant.call("get_memory", json!({ "memory_id": id })).await["text"], "Earl Grey.", "{revision}");
        }
        // Which server asks, and which is answered, is as it comes: an even number of requests changes sides.
        for text in ["for all", "for all of us", "for everybody"] {
            let public = assistant.call("submit_memory", json!({ "text": text, "permission": "public" })).await;
            assert_eq!(public["permission"], "public", "{revision}");
        }
        let uri = format!("memories://{id}");
        assistant.subscribe(&uri).await;
        assistant.listens(&server, &ada).await;

        server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "Green tea." })).await;
        assert_eq!(assistant.hears_two().await, ["list".to_owned(), uri.clone()], "{revision}");
        assistant.unsubscribe(&uri).await;
        server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "Earl Grey." })).await;
        assert_eq!(assistant.hears().await, "list", "{revision}");
        assert!(assistant.hears_nothing().await, "{revision}");
        assistant.client.cancel().await.expect("a clean end");
    }
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_of_the_new_revision_needs_no_server_twice(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let proxy = RoundRobin::spawn(&[&server.url, &replica.url]).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Earl Grey.").await;
    for _ in 0..20 {
        let params = json!({ "name": "get_memory", "arguments": { "memory_id": id } });
        let (_, answer) = send(modern_at(&proxy.url, &ada, "tools/call", params)).await;
        assert_eq!(answer["result"]["structuredContent"]["text"], "Earl Grey.", "{answer}");
    }
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t03_a_session_is_its_persons_at_every_server_and_ends_at_every_server(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let session = sessions::begin(&server, &ada).await;

    for url in [&replica.url, &server.url] {
        assert_eq!(ping(url, &bob, &session).await, StatusCode::NOT_FOUND, "SCO-09");
        let ended = sessions::request_at(url, Method::DELETE, &bob, &session).send().await.expect("an answer");
        assert_eq!(ended.status(), StatusCode::NOT_FOUND, "T3");
        assert_eq!(ping(url, &ada, &session).await, StatusCode::OK);
    }
    let mut stream = stream(&server.url, &ada, &session).await;
    let ended = sessions::request_at(&replica.url, Method::DELETE, &ada, &session).send().await.expect("an answer");
    assert_eq!(ended.status(), StatusCode::NO_CONTENT, "T12");
    for url in [&server.url, &replica.url] {
        assert_eq!(ping(url, &ada, &session).await, StatusCode::NOT_FOUND);
    }
    let rest = tokio::time::timeout(SOON, async { while let Ok(Some(_)) = stream.chunk().await {} }).await;
    assert!(rest.is_ok(), "its stream ends too");
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t04_a_session_outlives_its_server(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let session = sessions::begin_at(&replica.url, &ada).await;
    replica.stop().await;
    let restarted = server.replica().await;

    // All at once: each of them finds a session that is not there yet.
    let answers = join_all((0..50).map(|_| ping(&restarted.url, &ada, &session))).await;

    assert_eq!(answers, vec![StatusCode::OK; 50]);
    sqlx::query("UPDATE mcp_sessions SET last_used_at = now() - interval '25 hours'").execute(&pool).await.expect("a day later");
    assert_eq!(ping(&restarted.url, &ada, &session).await, StatusCode::NOT_FOUND, "it was not used for a day");
    restarted.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nothing_is_told_twice(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let session = sessions::begin(&server, &ada).await;
    let mut first = stream(&server.url, &ada, &session).await;
    let mut second = stream(&replica.url, &ada, &session).await;
    // Every server hears of the newer stream by then.
    tokio::time::sleep(3 * QUIET).await;
    said(&mut first).await;
    said(&mut second).await;

    server.remember(&ada, "one").await;

    let (first, second) = tokio::join!(said(&mut first), said(&mut second));
    assert!(!first.contains("list_changed"), "{first}");
    assert_eq!(second.matches("list_changed").count(), 1, "{second}");
    let request = sessions::request_at(&server.url, Method::GET, &ada, &session).header("last-event-id", "0");
    let mut resumed = request.send().await.expect("a stream");
    assert!(said(&mut resumed).await.contains("list_changed"), "who was away hears that something may have changed");
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t05_an_older_client_hears_of_nothing_that_it_may_not_see(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let (private, public) = (server.remember(&ada, "private").await, server.publish(&ada, "public").await);
    let mut assistant = Connected::to(&server.url, &eve, &REVISIONS[1]).await;
    for uri in [format!("memories://{private}"), "memories://01234567-89ab-4def-8123-456789abcdef".to_owned()] {
        #[expect(deprecated, reason = "that is how older clients do it")]
        let refused = assistant.client.subscribe(SubscribeRequestParams::new(&uri)).await.expect_err("refused");
        assert!(refused.to_string().contains("-32002"), "{refused}");
    }
    let uri = format!("memories://{public}");
    assistant.subscribe(&uri).await;
    assistant.listens(&server, &eve).await;

    server.call(&ada, "update_memory", json!({ "memory_id": private, "text": "still private" })).await;
    server.call(&ada, "modify_permissions", json!({ "memory_id": public, "permission": "private" })).await;
    assert_eq!(assistant.hears().await, uri, "it has gone");
    server.call(&ada, "update_memory", json!({ "memory_id": public, "text": "out of sight" })).await;
    assert!(assistant.hears_nothing().await, "MEM-06");

    sqlx::query("UPDATE grants SET revoked_at = now() WHERE user_id = $1::uuid")
        .bind(&eve.user_id)
        .execute(&pool)
        .await
        .expect("it is revoked");
    server.publish(&ada, "something else").await;
    assert!(assistant.hears_nothing().await, "REV-01");
    assert_eq!(number(&pool, "SELECT count(*) FROM mcp_sessions").await, 1);
}
