//! A provider whose answers are written in advance.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

/// What it does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers every text with [`embedding_of`].
    Answer,
    /// A status, headers, and a body.
    Say(u16, Vec<(&'static str, &'static str)>, String),
    /// Changes the right answer before it is sent.
    Spoil(fn(&mut Value)),
    /// Takes the request and is never heard of again.
    Hang,
    /// Announces more than it sends.
    BreakOff,
}

impl Act {
    pub(crate) fn say(status: u16, body: &str) -> Self {
        Self::Say(status, Vec::new(), body.to_owned())
    }
}

/// One received request.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// The running provider.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    script: Arc<Script>,
}

struct Script {
    acts: Mutex<VecDeque<Act>>,
    received: Mutex<Vec<Received>>,
}

impl Provider {
    /// Plays the acts in order, and after the last one answers as it should.
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let script = Arc::new(Script { acts: Mutex::new(acts.into_iter().collect()), received: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(play).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, script }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received.lock().expect("not poisoned").clone()
    }
}

/// Two numbers that tell the text's length and first byte.
pub(crate) fn embedding_of(text: &str) -> [f32; 2] {
    let first = text.bytes().next().unwrap_or(1);
    [text.len() as f32 + 1.0, f32::from(first)]
}

fn right_answer(body: &Value) -> Value {
    let texts = body["input"].as_array().expect("a list of texts");
    let item = |(index, text): (usize, &Value)| {
        let embedding = embedding_of(text.as_str().expect("a text"));
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = texts.iter().enumerate().map(item).collect();
    json!({"object": "list", "model": body["model"], "data": data})
}

async fn play(State(script): State<Arc<Script>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let authorization = headers.get(header::AUTHORIZATION);
    script.received.lock().expect("not poisoned").push(Received {
        path: uri.path().to_owned(),
        authorization: authorization.map(|value| value.to_str().expect("text").to_owned()),
        body: body.clone(),
    });

    let act = script.acts.lock().expect("not poisoned").pop_front();
    match act.unwrap_or(Act::Answer) {
        Act::Answer => Json(right_answer(&body)).into_response(),
        Act::Say(status, headers, text) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let mut response = (status, text).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("a header"));
            }
            response
        }
        Act::Spoil(change) => {
            let mut answer = right_answer(&body);
            change(&mut answer);
            Json(answer).into_response()
        }
        Act::Hang => std::future::pending().await,
        Act::BreakOff => ([(header::CONTENT_LENGTH, "1000")], "{\"data\": [").into_response(),
    }
}
