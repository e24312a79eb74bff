//! An OpenAI-compatible endpoint with all its faults.

#[path = "../../../server/tests/it/kit/llm.rs"]
#[expect(unreachable_pub, reason = "the server's tests use it too")]
mod fake;

use std::time::{Duration, Instant};

use fake::{FakeLlm, Reply};
use futures_util::StreamExt;
use picard_llm::{
    Answered, Condition, Conversation, Llm, LlmError, MAX_ANSWER, OpenAiCompatible, OpenAiSettings, Options, Piece, Source,
};
use serde_json::json;

fn model(endpoint: &FakeLlm) -> OpenAiCompatible {
    OpenAiCompatible::new(OpenAiSettings {
        base_url: endpoint.url(),
        api_key: Some("sk-secret".into()),
        models: vec!["test".to_owned(), "other".to_owned()],
        context_tokens: 8_000,
        max_tokens: 500,
        first_text: Duration::from_secs(2),
        silence: Duration::from_millis(300),
        total: Duration::from_secs(3),
        parallel: 2,
    })
    .expect("settings that can work")
}

fn conversation() -> Conversation {
    let source = |text: &str| Source { text: text.to_owned(), date: "2026-01-31".to_owned() };
    Conversation { sources: vec![source("Earl Grey."), source("Milk.")], question: "Tea?".to_owned(), ..Conversation::default() }
}

async fn read(model: &OpenAiCompatible) -> Result<(String, Answered), LlmError> {
    read_of(model, conversation()).await
}

async fn read_of(model: &OpenAiCompatible, conversation: Conversation) -> Result<(String, Answered), LlmError> {
    let mut stream = model.answer(conversation).await?;
    let (mut text, mut done) = (String::new(), None);
    while let Some(piece) = stream.next().await {
        match piece? {
            Piece::Text(piece) => text.push_str(&piece),
            Piece::Done(answered) => done = Some(answered),
        }
    }
    Ok((text, done.expect("an end")))
}

#[tokio::test]
async fn an_answer_is_streamed_with_checked_citations() {
    let endpoint = FakeLlm::spawn().await;
    let pieces = ["<think>hm</think>Tea", " [1", "][9]. Mil", "k\u{200b} [2]!"].map(str::to_owned).to_vec();
    endpoint.script([Reply::Says(pieces, Duration::from_millis(50))]);
    let began = Instant::now();
    let mut stream = model(&endpoint).answer(conversation()).await.expect("an answer");
    assert!(began.elapsed() < Duration::from_millis(190), "the first piece does not wait for the last");

    let mut text = String::new();
    let mut done = None;
    while let Some(piece) = stream.next().await {
        match piece.expect("a piece") {
            Piece::Text(piece) => text.push_str(&piece),
            Piece::Done(answered) => done = Some(answered),
        }
    }

    assert_eq!(text, "Tea. Milk!");
    let done = done.expect("an end");
    let cited: Vec<(usize, usize, Vec<usize>)> =
        done.citations.into_iter().map(|citation| (citation.start, citation.end, citation.sources)).collect();
    assert_eq!(cited, [(0, 4, vec![0]), (5, 10, vec![1])]);
    assert_eq!((done.usage.input, done.usage.output, done.usage.is_estimate), (7, 3, false));
    let sent = &endpoint.prompts()[0];
    assert_eq!((&sent["model"], &sent["stream"], &sent["max_tokens"]), (&json!("test"), &json!(true), &json!(500)));
    assert!(sent.get("tools").is_none() && sent.get("functions").is_none(), "LLM-02");
    assert!(!sent.to_string().contains("sk-secret"), "LLM-03");
}

#[tokio::test]
async fn only_allowed_models_and_temperatures_are_passed_on() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    for (asked, sent) in [("other", "other"), ("expensive", "test")] {
        let options = Options { model: Some(asked.to_owned()), temperature: Some(9.0) };
        read_of(&model, Conversation { options, ..conversation() }).await.expect("an answer");
        let prompt = endpoint.prompts().pop().expect("a prompt");
        assert_eq!((&prompt["model"], &prompt["temperature"]), (&json!(sent), &json!(2.0)), "LLM-09");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_explained() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    endpoint.script([Reply::Status(500, json!({})), Reply::Busy(1), Reply::says("Tea.")]);
    assert_eq!(read(&model).await.expect("an answer").0, "Tea.", "FLT-08");

    endpoint.script([Reply::Busy(60)]);
    let busy = read(&model).await.expect_err("busy");
    assert!(matches!(busy, LlmError::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 60), "{busy:?}");

    let refusal = json!({ "error": { "code": "context_length_exceeded", "message": "your prompt was: Earl Grey" } });
    for (status, is_rejection) in [(400, true), (401, false), (404, false)] {
        endpoint.script([Reply::Status(status, refusal.clone())]);
        let error = read(&model).await.expect_err("refused");
        assert_eq!(matches!(error, LlmError::Rejected(_)), is_rejection, "{status} {error}");
        assert!(error.to_string().contains("context_length_exceeded") && !error.to_string().contains("Grey"), "LLM-10 {error}");
    }
    let asked = endpoint.prompts().len();
    assert_eq!(asked, 3 + 1 + 3, "what cannot succeed is not tried again");
}

#[tokio::test]
async fn endpoints_with_the_newer_name_of_a_limit_are_understood() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    let message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
    endpoint.script([Reply::Status(400, json!({ "error": { "message": message } }))]);

    for _ in 0..2 {
        read(&model).await.expect("an answer");
    }

    let prompts = endpoint.prompts();
    assert_eq!(prompts.len(), 3, "it is found out once");
    assert_eq!(prompts[2]["max_completion_tokens"], 500);
    assert!(prompts[2].get("max_tokens").is_none());
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent_and_not_cited() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    let source = Source { text: "A long story about tea. ".repeat(150), date: "2026-01-31".to_owned() };
    endpoint.script([Reply::says("Tea [1]. Milk [30].")]);

    let (text, done) = read_of(&model, Conversation { sources: vec![source; 30], ..conversation() }).await.expect("an answer");

    assert_eq!((text.as_str(), done.citations.len()), ("Tea. Milk.", 1), "LLM-07: nobody saw the thirtieth");
    assert!(!endpoint.prompts()[0].to_string().contains("[30], of"), "LLM-07");

    let endless = Conversation { question: "tea ".repeat(20_000), ..conversation() };
    assert!(matches!(read_of(&model, endless).await, Err(LlmError::Rejected(_))), "LLM-07");
    assert_eq!(endpoint.prompts().len(), 1, "LLM-07: it was not asked");
}

#[tokio::test]
async fn nothing_lasts_for_ever() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    let began = Instant::now();
    endpoint.script([Reply::Endless]);
    let (text, done) = read(&model).await.expect("an answer");
    assert!(done.is_truncated && text.chars().count() < MAX_ANSWER + 1_000, "LLM-05 {}", text.len());
    endpoint.script([Reply::FallsSilent]);
    assert!(matches!(read(&model).await, Err(LlmError::Unavailable { .. })), "FLT-11");
    endpoint.script([Reply::Silent]);
    assert!(matches!(read(&model).await, Err(LlmError::Unavailable { .. })), "FLT-11");
    assert!(began.elapsed() < Duration::from_secs(20));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(endpoint.left(), 3, "the endpoint is not kept working for nobody");
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    let endpoint = FakeLlm::spawn().await;
    for reply in [
        Reply::Nonsense,
        Reply::ErrorEvent,
        Reply::Page,
        Reply::OnlyThinks,
        Reply::BreaksOff(vec![]),
        Reply::says(" "),
        Reply::BreaksOff(vec!["Tea".to_owned()]),
    ] {
        endpoint.script([reply.clone()]);
        let error = read(&model(&endpoint)).await.expect_err("no answer");
        assert!(!error.to_string().contains("secret"), "LLM-10 {reply:?} {error}");
    }
    for reply in [Reply::Whole("Tea [1].".to_owned()), Reply::Unlabelled("Tea [1].".to_owned())] {
        endpoint.script([reply]);
        let (text, done) = read(&model(&endpoint)).await.expect("an answer in one piece");
        assert_eq!((text.as_str(), done.citations.len()), ("Tea.", 1));
    }
}

#[tokio::test]
async fn an_answer_is_complete_when_the_model_says_so() {
    let endpoint = FakeLlm::spawn().await;
    endpoint.script([Reply::StaysOpen("Tea [1].".to_owned())]);

    let (text, done) = read(&model(&endpoint)).await.expect("an answer");

    assert_eq!((text.as_str(), done.citations.len(), done.is_truncated), ("Tea.", 1, false), "FLT-11");
    assert!(done.usage.is_estimate && done.usage.input > 0 && done.usage.output > 0, "{:?}", done.usage);
}

#[tokio::test]
async fn everybody_who_asks_at_first_learns_the_newer_name_of_a_limit() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    let message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
    endpoint.script(vec![Reply::Status(400, json!({ "error": { "message": message } })); 2]);

    let (one, other) = tokio::join!(read(&model), read(&model));

    assert!(one.is_ok() && other.is_ok(), "{:?} {:?}", one.err(), other.err());
}

#[tokio::test]
async fn who_fails_all_the_time_is_left_alone_for_a_while() {
    let endpoint = FakeLlm::spawn().await;
    let model = model(&endpoint);
    endpoint.script(vec![Reply::Status(403, json!({})); 5]);
    for _ in 0..5 {
        assert!(read(&model).await.is_err());
    }
    assert_eq!(model.condition(), Condition::Failing);
    assert!(matches!(read(&model).await, Err(LlmError::Unavailable { retry_after: Some(_), .. })), "FLT-08");
    assert_eq!(endpoint.prompts().len(), 5);
}
