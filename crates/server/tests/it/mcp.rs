//! The MCP door through rmcp's own client, in every revision that is spoken.

mod bridge;
mod calls;
mod confirm;
mod personas;
mod prompts;
mod replicas;
mod sessions;
mod subscriptions;
mod traps;
pub(crate) mod wire;

use picard_app::catalogue::CATALOGUE;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, ErrorData, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::kit::{Person, TestServer, client, golden, word};

type Client = RunningService<RoleClient, ClientConfig>;

const REVISIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// Connects a person's assistant that speaks this revision.
async fn connect(server: &TestServer, person: &Person, revision: &ProtocolVersion) -> Client {
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url)).auth_header(&*person.token);
    let transport = StreamableHttpClientTransport::with_client(client(), config);
    let lifecycle = if revision.has_initialize() {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Discover { preferred_versions: vec![revision.clone()] }
    };
    let client = ClientConfig::default().with_protocol_version(revision.clone());
    client.serve_with_lifecycle(transport, lifecycle).await.expect("a connection")
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("an object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.expect("a result")
}

async fn read(client: &Client, uri: &str) -> Result<Value, ErrorData> {
    let contents = match client.read_resource(ReadResourceRequestParams::new(uri)).await {
        Ok(result) => result.contents,
        Err(error) => return Err(protocol_error(error)),
    };
    match contents.as_slice() {
        [ResourceContents::TextResourceContents { uri: read, mime_type, text, .. }] => {
            assert_eq!((read.as_str(), mime_type.as_deref()), (uri, Some("application/json")));
            Ok(serde_json::from_str(text).expect("JSON"))
        }
        other => panic!("one text instead of {other:?}"),
    }
}

fn protocol_error(error: ServiceError) -> ErrorData {
    match error {
        ServiceError::McpError(error) => error,
        other => panic!("an error of the protocol instead of {other:?}"),
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_revision_lists_the_catalogue(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for revision in &REVISIONS {
        let client = connect(&server, &ada, revision).await;

        let tools = client.list_tools(None).await.expect("tools").tools;

        let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, CATALOGUE.iter().map(|tool| tool.name).collect::<Vec<_>>(), "{revision}");
        for (listed, tool) in tools.iter().zip(CATALOGUE.iter()) {
            assert_eq!(*listed.input_schema, tool.input_schema, "{revision} {}", tool.name);
            let hints = listed.annotations.as_ref().expect("annotations");
            assert_eq!(hints.open_world_hint, Some(false), "{revision} {}", tool.name);
        }
        let info = client.peer_info().expect("the server's description");
        assert_eq!(info.protocol_version, *revision);
        let server_info = info.server_info.as_ref().expect("the server's name");
        assert_eq!((server_info.name.as_str(), server_info.title.as_deref()), ("picard", Some("Picard")));
        assert_eq!(server_info.website_url.as_deref(), Some(&*server.url));
        assert!(info.capabilities.prompts.is_some() && info.capabilities.completions.is_some());
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_golden_file_is_the_list_of_tools(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let (_, answer) = wire::send(wire::modern(&server, &ada, "tools/list", json!({}))).await;

    golden("tools.json", &answer["result"]["tools"]);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn both_doors_give_the_same_data(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for revision in &REVISIONS {
        let client = connect(&server, &ada, revision).await;

        let result = call(&client, "submit_memory", json!({ "text": "Earl Grey, hot.\nNo sugar.", "tags": ["tea"] })).await;

        assert_eq!(result.is_error, Some(false), "{revision}");
        let stored = result.structured_content.expect("structured content");
        assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": stored["id"] })).await, stored, "{revision}");
        let text = &result.content[0].as_text().expect("text").text;
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), stored);
        let link = result.content[1].as_resource_link().expect("a link");
        assert_eq!((&*link.name, &*link.uri), ("Earl Grey, hot.", &*format!("memories://{}", word(&stored["id"]))));
        assert_eq!(read(&client, &link.uri).await, Ok(stored), "{revision}");
    }

    let client = connect(&server, &ada, &ProtocolVersion::V_2026_07_28).await;
    let question = json!({ "query": "tea", "limit": 2 });
    let found = call(&client, "query_memory", question.clone()).await.structured_content;
    assert_eq!(found, Some(server.call(&ada, "query_memory", question).await));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t08_a_failed_call_says_why_and_an_unknown_tool_is_an_error_of_the_protocol(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for revision in &REVISIONS {
        let client = connect(&server, &ada, revision).await;

        for (tool, arguments, code) in [
            ("get_memory", json!({ "memory_id": Uuid::new_v4() }), "not_found"),
            ("query_memory", json!({ "query": "x", "limit": 0 }), "invalid"),
            ("submit_memory", json!({ "text": "x", "owner": "bob" }), "invalid"),
            ("get_memories", json!({ "cursor": "x" }), "invalid"),
        ] {
            let (_, rest) = server.try_call(&ada, tool, arguments.clone()).await;
            let result = call(&client, tool, arguments).await;
            assert_eq!(result.is_error, Some(true), "{revision} {tool}");
            let failure = result.structured_content.expect("structured content");
            assert_eq!(failure["code"], code);
            for member in ["code", "detail", "errors"] {
                assert_eq!(failure.get(member), rest.get(member), "{revision} {tool} {member}");
            }
        }
        for name in ["Submit_memory", "__proto__", "", "submit_memory "] {
            let error = client.call_tool(CallToolRequestParams::new(name)).await.expect_err("no such tool");
            assert_eq!(protocol_error(error).code.0, -32602, "SCO-06 {revision} {name:?}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn own_memories_are_listed_page_by_page(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    server.publish(&bob, "Not Ada's.").await;
    let mut ids = Vec::new();
    for n in 0..51 {
        ids.insert(0, format!("memories://{}", server.remember(&ada, &format!("Memory {n}\nwith more.")).await));
    }

    for revision in &REVISIONS {
        let client = connect(&server, &ada, revision).await;

        let first = client.list_resources(None).await.expect("a page");
        let cursor = first.next_cursor.clone().expect("a cursor");
        let next = |cursor: String| client.list_resources(Some(PaginatedRequestParams::default().with_cursor(Some(cursor))));
        let second = next(cursor.clone()).await.expect("a page");

        let listed: Vec<_> = first.resources.iter().chain(&second.resources).map(|resource| resource.uri.clone()).collect();
        assert_eq!(listed, ids, "{revision}");
        assert_eq!(second.next_cursor, None);
        let newest = &first.resources[0];
        assert_eq!((&*newest.name, newest.title.as_deref()), ("Memory 50", Some("Memory 50")));
        assert_eq!(newest.mime_type.as_deref(), Some("application/json"));
        assert!(newest.annotations.as_ref().is_some_and(|annotations| annotations.last_modified.is_some()));
        let error = next("x".to_owned()).await.expect_err("a bad cursor");
        assert_eq!(protocol_error(error).code.0, -32602, "{revision}");
        let of_bob = connect(&server, &bob, revision).await;
        let borrowed = of_bob.list_resources(Some(PaginatedRequestParams::default().with_cursor(Some(cursor)))).await;
        assert_eq!(protocol_error(borrowed.expect_err("a borrowed cursor")).code.0, -32602, "MEM-10 {revision}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_cannot_be_seen_answers_like_what_does_not_exist(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.remember(&ada, "The vault's code is under the mat.").await;

    for revision in &REVISIONS {
        let client = connect(&server, &eve, revision).await;

        let mut messages = Vec::new();
        for uri in [
            format!("memories://{id}"),
            format!("memories://{}", Uuid::new_v4()),
            format!("memories://{id}?x"),
            format!("memories://{}", id.to_uppercase()),
            "memories://../x".to_owned(),
            "memories://%00".to_owned(),
            "memories://".to_owned(),
            "file:///etc/passwd".to_owned(),
        ] {
            let error = read(&client, &uri).await.expect_err("nothing to see");
            let code = if revision.has_initialize() { -32002 } else { -32602 };
            assert_eq!((error.code.0, error.data), (code, Some(json!({ "uri": uri }))), "MEM-16 {revision}");
            messages.push(error.message);
        }
        messages.dedup();
        assert_eq!(messages.len(), 1, "MEM-16 {revision} {messages:?}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_persons_memories_hold_what_the_reader_may_see(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    server.remember(&ada, "Private.").await;
    server.publish(&ada, "Public.").await;
    server.call(&ada, "submit_memory", json!({ "text": "Tagged.", "permission": "public", "tags": ["a,b", "ä c"] })).await;
    let of_ada = format!("users://{}/memories", ada.user_id);

    for revision in &REVISIONS {
        let own = connect(&server, &ada, revision).await;
        let client = connect(&server, &eve, revision).await;
        let summaries = |page: &Value| -> Vec<String> {
            page["memories"].as_array().expect("memories").iter().map(|memory| word(&memory["summary"])).collect()
        };

        assert_eq!(summaries(&read(&own, &of_ada).await.expect("a page")), ["Tagged.", "Public.", "Private."], "{revision}");
        assert_eq!(summaries(&read(&client, &of_ada).await.expect("a page")), ["Tagged.", "Public."], "MEM-01 {revision}");

        let first = read(&client, &format!("{of_ada}?permission=public&limit=1")).await.expect("a page");
        let cursor = word(&first["next_cursor"]);
        let second = read(&client, &format!("{of_ada}?permission=public&limit=1&cursor={cursor}")).await.expect("a page");
        assert_eq!((summaries(&first), summaries(&second)), (vec!["Tagged.".to_owned()], vec!["Public.".to_owned()]));
        let tagged = read(&client, &format!("{of_ada}?tags=a%2Cb,%C3%A4%20c")).await.expect("a page");
        assert_eq!(summaries(&tagged), ["Tagged."]);

        let nobody = read(&client, &format!("users://{}/memories", Uuid::new_v4())).await;
        assert_eq!(
            nobody,
            Ok(json!({ "memories": [], "next_cursor": null })),
            "nobody looks like somebody without public memories"
        );
        for query in ["?limit=0", "?cursor=x", "?permission=PUBLIC"] {
            let error = read(&client, &format!("{of_ada}{query}")).await.expect_err("a bad value");
            assert_eq!(error.code.0, -32602, "{revision} {query}");
        }
    }
}
