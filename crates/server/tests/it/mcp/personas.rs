//! Personas over MCP: proposed, asked while one watches, and brought into a conversation.

use std::time::Duration;

use rmcp::model::{ArgumentInfo, CompleteRequestParams, GetPromptRequestParams, Reference};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::calls::messages;
use super::wire::modern;
use super::{REVISIONS, connect};
use crate::kit::llm::{FakeLlm, Reply};
use crate::kit::{TestServer, eventually, word};
use crate::personas::server;

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_persona_is_proposed_and_brought_into_a_conversation(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let tea = server.publish(&ada, "Earl Grey is my favourite tea.").await;
    server.remember(&ada, "Lapsang is my secret favourite tea.").await;
    let open = word(&server.call(&ada, "create_persona", json!({ "name": "On tea", "is_public": true })).await["id"]);
    let hidden = word(&server.call(&ada, "create_persona", json!({ "name": "On secret tea" })).await["id"]);
    let argument = || serde_json::from_value::<ArgumentInfo>(json!({ "name": "persona", "value": "tea" })).expect("an argument");
    for revision in &REVISIONS {
        let (own, other) = (connect(&server, &ada, revision).await, connect(&server, &eve, revision).await);
        let ask = || CompleteRequestParams::new(Reference::for_prompt("ask_persona"), argument());
        assert_eq!(other.complete(ask()).await.expect("proposals").completion.values, vec![open.clone()], "LLM-08 {revision}");
        assert_eq!(own.complete(ask()).await.expect("proposals").completion.values.len(), 2);

        let prompt = |persona: &str| {
            let Value::Object(arguments) = json!({ "persona": persona, "question": "Which tea?" }) else { panic!("an object") };
            GetPromptRequestParams::new("ask_persona").with_arguments(arguments)
        };
        let brought = serde_json::to_string(&other.get_prompt(prompt(&open)).await.expect("a prompt")).expect("JSON");
        assert!(brought.contains(&tea) && !brought.contains("Lapsang"), "LLM-01 {brought}");
        assert!(other.get_prompt(prompt(&hidden)).await.is_err(), "LLM-08");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn who_asks_hears_that_an_answer_is_being_written_and_may_stop_it(pool: PgPool) {
    let llm = FakeLlm::spawn().await;
    let server = server(&pool, &llm, &[]).await;
    let ada = server.sign_in("ada").await;
    server.publish(&ada, "Tea.").await;
    let params = json!({
        "name": "query_user", "arguments": { "user_id": ada.user_id, "prompt": "tea?" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}, "progressToken": "p-1" },
    });
    let pieces = ["Earl ", "Grey", " [1]."].map(str::to_owned).to_vec();
    llm.script([Reply::Says(pieces, Duration::from_millis(100)), Reply::FallsSilent]);

    let told = messages(modern(&server, &ada, "tools/call", params.clone()).send().await.expect("an answer")).await;

    let steps: Vec<f64> = told.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
    assert!(steps.len() >= 2 && steps.is_sorted(), "{told:?}");
    let last = &told.last().expect("an answer")["result"]["structuredContent"];
    assert_eq!(last["response"], "Earl Grey.");

    let mut response = modern(&server, &ada, "tools/call", params).send().await.expect("an answer");
    response.chunk().await.expect("some progress");
    drop(response);
    eventually("the model is left alone", async || llm.left() == 1).await;
}
