//! What the client makes of a provider's faults.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use picard_domain::Vector;
use picard_embedding::{EmbedError, Embedder, OpenAiCompatible, OpenAiSettings};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::provider::{Act, Provider, embedding_of};

const KEY: &str = "sk-a-very-secret-key";
const TEXT: &str = "dear diary";

fn settings(address: SocketAddr) -> OpenAiSettings {
    OpenAiSettings {
        base_url: format!("http://{address}/v1"),
        api_key: Some(SecretString::from(KEY)),
        model: "test-model".to_owned(),
        dimensions: Some(2),
        timeout: Duration::from_secs(10),
    }
}

fn client(provider: &Provider) -> OpenAiCompatible {
    OpenAiCompatible::new(settings(provider.address)).expect("sound settings")
}

fn vectors_of(texts: &[&str]) -> Vec<Vector> {
    let vector = |text: &&str| Vector::new(embedding_of(text).to_vec()).expect("a direction");
    texts.iter().map(vector).collect()
}

/// The error of one call against these acts, and how many requests it took.
async fn fault(acts: impl IntoIterator<Item = Act>) -> (EmbedError, usize) {
    let provider = Provider::start(acts).await;
    let error = client(&provider).embed(&[TEXT, "second"]).await.expect_err("a fault");

    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(KEY) && !shown.contains(TEXT), "{shown}");
    (error, provider.received().len())
}

fn unavailable(error: &EmbedError) -> Option<Duration> {
    match error {
        EmbedError::Unavailable { retry_after, .. } => *retry_after,
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn the_request_is_what_the_api_describes() {
    let provider = Provider::start([]).await;

    let vectors = client(&provider).embed(&[TEXT, "b"]).await.expect("vectors");

    assert_eq!(vectors, vectors_of(&[TEXT, "b"]));
    let received = &provider.received()[0];
    assert_eq!(received.path, "/v1/embeddings");
    assert_eq!(received.authorization.as_deref(), Some(format!("Bearer {KEY}").as_str()));
    let body = json!({"model": "test-model", "input": [TEXT, "b"], "dimensions": 2, "encoding_format": "base64"});
    assert_eq!(received.body, body);
}

#[tokio::test]
async fn without_key_and_dimensions_neither_is_sent() {
    let provider = Provider::start([]).await;
    let settings = OpenAiSettings {
        api_key: None,
        dimensions: None,
        model: "text-embedding-3-small".to_owned(),
        ..settings(provider.address)
    };
    let client = OpenAiCompatible::new(settings).expect("a known model");
    assert_eq!((client.model(), client.dimensions()), ("text-embedding-3-small", 1536));

    // The provider answers with two numbers; only the request matters here.
    client.embed(&["a"]).await.expect_err("wrong dimension");

    let received = &provider.received()[0];
    assert_eq!(received.authorization, None);
    assert_eq!(received.body.get("dimensions"), None);
}

#[tokio::test]
async fn many_texts_go_in_several_requests_and_come_back_in_order() {
    let provider = Provider::start([]).await;
    let texts: Vec<String> = (0..300).map(|n| "x".repeat(n + 1)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    let vectors = client(&provider).embed(&texts).await.expect("vectors");

    assert_eq!(vectors, vectors_of(&texts));
    let sizes = provider.received().iter().map(|r| r.body["input"].as_array().map(Vec::len)).collect::<Vec<_>>();
    assert_eq!(sizes, [Some(128), Some(128), Some(44)]);
    assert_eq!(client(&provider).embed(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn shuffled_vectors_are_placed_by_index() {
    let reverse = |answer: &mut Value| answer["data"].as_array_mut().expect("a list").reverse();
    let provider = Provider::start([Act::Spoil(reverse)]).await;
    let texts = ["a", "bb", "ccc"];

    let vectors = client(&provider).embed(&texts).await.expect("vectors");

    assert_eq!(vectors, vectors_of(&texts));
}

#[tokio::test]
async fn a_long_retry_after_is_handed_to_the_caller_at_once() {
    let body = format!(r#"{{"error": {{"code": "rate_limit_exceeded", "message": "{KEY} {TEXT}"}}}}"#);
    let (error, requests) = fault([Act::Say(429, vec![("retry-after", "60")], body)]).await;

    assert_eq!(unavailable(&error), Some(Duration::from_secs(60)));
    assert_eq!(requests, 1);
    assert!(error.to_string().contains("HTTP 429 (rate_limit_exceeded)"));
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    let busy = Act::Say(429, vec![("retry-after", "1")], String::new());
    let provider = Provider::start([busy]).await;
    let start = Instant::now();

    let vectors = client(&provider).embed(&[TEXT]).await;

    assert_eq!(vectors, Ok(vectors_of(&[TEXT])));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_error_is_tried_twice_more() {
    let broken = || Act::say(500, "oops");
    let provider = Provider::start([broken(), broken()]).await;
    assert_eq!(client(&provider).embed(&[TEXT]).await, Ok(vectors_of(&[TEXT])));

    let (error, requests) = fault([broken(), Act::say(503, ""), broken(), broken()]).await;
    assert_eq!(unavailable(&error), None);
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn a_rejection_is_final_and_a_refused_key_is_not_the_texts_fault() {
    let (error, requests) = fault([Act::say(400, r#"{"error": {"type": "invalid_request_error"}}"#)]).await;
    assert_eq!(error, EmbedError::Rejected("HTTP 400 (invalid_request_error)".to_owned()));
    assert_eq!(requests, 1);

    let (error, requests) = fault([Act::say(401, &format!("wrong key {KEY}"))]).await;
    assert_eq!(unavailable(&error), None);
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Act::Say(307, vec![("location", "/elsewhere")], String::new());
    let (error, requests) = fault([elsewhere]).await;

    assert_eq!(unavailable(&error), None);
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_hanging_provider_costs_no_more_than_the_time_limit() {
    let provider = Provider::start([Act::Hang]).await;
    let settings = OpenAiSettings { timeout: Duration::from_millis(300), ..settings(provider.address) };
    let client = OpenAiCompatible::new(settings).expect("sound settings");
    let start = Instant::now();

    let error = client.embed(&[TEXT]).await.expect_err("a hang");

    assert_eq!(unavailable(&error), None);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = OpenAiCompatible::new(settings(address)).expect("sound settings");

    let error = client.embed(&[TEXT]).await.expect_err("nobody there");

    assert_eq!(unavailable(&error), None);
    assert!(error.to_string().contains("onnection refused"), "{error}");
}

#[tokio::test]
async fn what_is_no_list_of_embeddings_is_an_invalid_answer() {
    let answers = [
        "<!doctype html><p>dear diary</p>",
        "{\"data\": [{\"index\": 0, \"embedding\": [1,",
        "{\"data\": \"dear diary\"}",
        "{\"data\": [{\"index\": 0, \"embedding\": [NaN, 1]}, {\"index\": 1, \"embedding\": [1, 1]}]}",
        "",
    ];
    for answer in answers {
        let (error, requests) = fault([Act::say(200, answer)]).await;
        assert!(matches!(error, EmbedError::InvalidAnswer(_)), "{answer}: {error:?}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn vectors_that_do_not_belong_to_the_texts_are_an_invalid_answer() {
    let spoilers: [fn(&mut Value); 8] = [
        |answer| answer["data"][1]["embedding"] = json!([1.0]),
        |answer| answer["data"][1]["embedding"] = json!([1.0, 2.0, 3.0]),
        |answer| answer["data"][1]["embedding"] = json!([0.0, 0.0]),
        |answer| answer["data"][1]["embedding"] = json!([1e300, 0.0]),
        |answer| answer["data"][1]["index"] = json!(0),
        |answer| answer["data"][1]["index"] = json!(2),
        |answer| drop(answer["data"].as_array_mut().expect("a list").pop()),
        |answer| {
            let again = answer["data"][0].clone();
            answer["data"].as_array_mut().expect("a list").push(again);
        },
    ];
    for (number, spoil) in spoilers.into_iter().enumerate() {
        let (error, _) = fault([Act::Spoil(spoil)]).await;
        assert!(matches!(error, EmbedError::InvalidAnswer(_)), "{number}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unavailable() {
    let (error, _) = fault([Act::BreakOff]).await;
    assert_eq!(unavailable(&error), None);
}

#[tokio::test]
async fn after_five_failures_the_provider_is_left_alone() {
    let provider = Provider::start((0..5).map(|_| Act::say(404, ""))).await;
    let client = client(&provider);
    for _ in 0..5 {
        client.embed(&[TEXT]).await.expect_err("a failure");
    }

    let error = client.embed(&[TEXT]).await.expect_err("the breaker is open");

    assert!(unavailable(&error).is_some_and(|wait| wait <= Duration::from_secs(5)));
    assert_eq!(provider.received().len(), 5);
}
