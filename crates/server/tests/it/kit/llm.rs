//! A chat model on this machine: it says what a test tells it to, in pieces, with faults on request, and keeps every prompt.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};

/// What the model does with one request. Without a reply it says `From memory [1].`
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "crates/llm tests every fault, the server only those that it treats differently")]
pub enum Reply {
    /// It says these pieces, with a pause before each.
    Says(Vec<String>, Duration),
    /// It says these pieces and then breaks off.
    BreaksOff(Vec<String>),
    /// It says a word for ever.
    Endless,
    /// It never answers.
    Silent,
    /// It says a piece and then nothing more.
    FallsSilent,
    /// It answers with a status and a body.
    Status(u16, Value),
    /// It answers 429 and asks for so many seconds.
    Busy(u64),
    /// It sends events that are no JSON.
    Nonsense,
    /// It sends an error as an event.
    ErrorEvent,
    /// It answers in one piece although a stream was asked for.
    Whole(String),
    /// The same, called a plain text.
    Unlabelled(String),
    /// It says this and that it has ended, but neither counts nor closes the stream.
    StaysOpen(String),
    /// It ends for want of tokens before it has said anything.
    OnlyThinks,
    /// It answers 200 with a page for people.
    Page,
}

/// The model; ends with the test.
pub struct FakeLlm {
    address: SocketAddr,
    record: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    replies: VecDeque<Reply>,
    prompts: Vec<Value>,
    left: usize,
}

/// Counts that whoever asked did not wait for the end.
struct Left(Arc<Mutex<Record>>);

impl Drop for Left {
    fn drop(&mut self) {
        lock(&self.0).left += 1;
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().expect("the lock")
}

impl FakeLlm {
    pub async fn spawn() -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let router = Router::new().route("/v1/chat/completions", post(chat)).with_state(Arc::clone(&record));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, record }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it does with the next requests, in order.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.record).replies.extend(replies);
    }

    /// Every request's body, in order.
    pub fn prompts(&self) -> Vec<Value> {
        lock(&self.record).prompts.clone()
    }

    /// How many requests were left before they were answered in full.
    pub fn left(&self) -> usize {
        lock(&self.record).left
    }
}

impl Reply {
    pub fn says(text: &str) -> Self {
        Self::Says(vec![text.to_owned()], Duration::ZERO)
    }
}

async fn chat(State(record): State<Arc<Mutex<Record>>>, Json(request): Json<Value>) -> Response {
    let reply = {
        let mut record = lock(&record);
        record.prompts.push(request);
        record.replies.pop_front().unwrap_or_else(|| Reply::says("From memory [1]."))
    };
    let done = || vec![ended("stop"), counts(), "data: [DONE]\n\n".to_owned()];
    match reply {
        Reply::Says(pieces, pause) => events(pieces.iter().map(|piece| said(piece)).chain(done()).collect(), pause, None),
        Reply::BreaksOff(pieces) => events(pieces.iter().map(|piece| said(piece)).collect(), Duration::ZERO, None),
        Reply::Endless => {
            let left = Left(record);
            let words = stream::unfold(left, async |left| {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok::<_, std::convert::Infallible>(Bytes::from(said(&"word ".repeat(100)))), left))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(words)).into_response()
        }
        Reply::Silent => {
            let _left = Left(record);
            std::future::pending().await
        }
        Reply::FallsSilent => events(vec![said("Well, ")], Duration::ZERO, Some(Left(record))),
        Reply::Status(status, body) => (StatusCode::from_u16(status).expect("a status"), Json(body)).into_response(),
        Reply::Busy(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())], Json(json!({ "error": {} }))).into_response()
        }
        Reply::Nonsense => events(vec!["data: <html>\n\n".to_owned()], Duration::ZERO, None),
        Reply::ErrorEvent => {
            events(vec![event(&json!({ "error": { "code": "overloaded", "message": "a secret" } }))], Duration::ZERO, None)
        }
        Reply::Whole(text) => Json(whole(&text)).into_response(),
        Reply::Unlabelled(text) => whole(&text).to_string().into_response(),
        Reply::StaysOpen(text) => events(vec![said(&text), ended("stop")], Duration::ZERO, Some(Left(record))),
        Reply::OnlyThinks => {
            events(vec![said("<think>Hm. "), ended("length"), "data: [DONE]\n\n".to_owned()], Duration::ZERO, None)
        }
        Reply::Page => ([("content-type", "text/html")], "<!doctype html><p>a secret page</p>").into_response(),
    }
}

fn events(events: Vec<String>, pause: Duration, stays: Option<Left>) -> Response {
    let pieces = stream::unfold((events.into_iter(), stays), move |(mut events, stays)| async move {
        tokio::time::sleep(pause).await;
        let next = match (events.next(), &stays) {
            (Some(next), _) => next,
            (None, Some(_)) => std::future::pending().await,
            (None, None) => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(next)), (events, stays)))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(pieces)).into_response()
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn said(text: &str) -> String {
    event(&json!({ "model": "test", "choices": [{ "delta": { "content": text }, "finish_reason": null }] }))
}

fn ended(reason: &str) -> String {
    event(&json!({ "choices": [{ "delta": {}, "finish_reason": reason }] }))
}

fn whole(text: &str) -> Value {
    json!({
        "model": "test", "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3 },
    })
}

fn counts() -> String {
    event(&json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 3 } }))
}
