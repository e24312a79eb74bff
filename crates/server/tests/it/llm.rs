//! Which model answers, and how the health tells of it.

use clap::Parser as _;
use picard_server::{Config, StartError, llm};
use serde_json::json;
use sqlx::PgPool;

use crate::kit::TestServer;
use crate::kit::llm::FakeLlm;

fn config(more: &[&str]) -> Config {
    let needed = ["picard-server", "--database-url", "postgres://nobody@127.0.0.1/none", "--encryption-keys", "none"];
    Config::try_parse_from(needed.iter().chain(more).copied()).expect("arguments that can be read")
}

#[test]
fn without_an_endpoint_or_a_model_memories_are_quoted() {
    let incomplete: [&[&str]; 4] = [
        &[],
        &["--llm-base-url", "http://127.0.0.1:9/v1"],
        &["--llm-model", "test"],
        &["--llm-base-url", "", "--llm-model", "test"],
    ];
    for more in incomplete {
        let model = llm(&config(more)).expect("a model");

        assert_eq!(model.model(), "extractive", "LLM-09 {more:?}");
        assert!(model.models().is_empty(), "{more:?}");
    }
}

#[test]
fn only_models_that_were_named_can_be_chosen() {
    let endpoint = ["--llm-base-url", "http://127.0.0.1:9/v1", "--llm-model", "small"];
    let alone = llm(&config(&endpoint)).expect("a model");
    let more: Vec<&str> = endpoint.into_iter().chain(["--llm-models", "large, small,,large"]).collect();
    let several = llm(&config(&more)).expect("models");

    assert_eq!((alone.model(), alone.models()), ("small", &["small".to_owned()][..]), "LLM-09");
    assert_eq!((several.model(), several.models()), ("small", &["small".to_owned(), "large".to_owned()][..]), "LLM-09");
    assert_eq!(alone.budget(), 8_192 - 1_024 - 3_000, "LLM-07");
}

#[test]
fn an_endpoint_that_cannot_be_asked_is_named_without_its_value() {
    for (flag, value, variable) in
        [("--llm-base-url", "ftp://secret.example", "LLM_BASE_URL"), ("--llm-api-key", "sk-\u{7}secret", "LLM_API_KEY")]
    {
        let defaults = [("--llm-base-url", "https://llm.example/v1"), ("--llm-model", "test")];
        let mut more: Vec<&str> = defaults.into_iter().filter(|(name, _)| *name != flag).flat_map(|(a, b)| [a, b]).collect();
        more.extend([flag, value]);

        let Err(error) = llm(&config(&more)) else { panic!("{variable}") };

        assert!(matches!(error, StartError::Config(_)), "{error}");
        let shown = error.to_string();
        assert!(shown.contains(variable) && !shown.contains("secret"), "SSR-05 {shown}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_health_tells_of_the_model_without_asking_it(pool: PgPool) {
    let model = FakeLlm::spawn().await;
    let server = TestServer::spawn_with(&pool, &["--llm-base-url", &model.url(), "--llm-model", "test"]).await;

    let health: serde_json::Value = server.get("/health").send().await.expect("an answer").json().await.expect("a body of JSON");

    assert_eq!((&health["status"], &health["checks"]["llm"]), (&json!("ok"), &json!("ok")), "{health}");
    assert!(model.prompts().is_empty(), "nobody asked anything");
}
