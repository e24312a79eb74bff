//! A provider of embeddings on this machine: words become directions, and faults come when a test asks for them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// What the provider does with the next requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    #[default]
    Well,
    /// It answers 500.
    Failing,
    /// It answers 429 and asks to come back in a second.
    Busy,
    /// It answers with something that is no JSON.
    Nonsense,
    /// It answers with vectors of another length.
    WrongDimension,
    /// It never answers.
    Silent,
}

/// The provider; ends with the test.
pub struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    mood: Mood,
    texts: Vec<String>,
    left: usize,
}

/// Counts that whoever asked did not wait.
struct Left(Arc<Mutex<Record>>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.lock().expect("the lock").left += 1;
    }
}

impl Provider {
    pub async fn spawn() -> Self {
        let state = Arc::new(Mutex::new(Record::default()));
        let router = Router::new().route("/v1/embeddings", post(embeddings)).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn set(&self, mood: Mood) {
        self.state.lock().expect("the lock").mood = mood;
    }

    /// How many requests were left before they were answered.
    pub fn left(&self) -> usize {
        self.state.lock().expect("the lock").left
    }

    /// Every text that was sent here, in order.
    pub fn texts(&self) -> Vec<String> {
        self.state.lock().expect("the lock").texts.clone()
    }
}

async fn embeddings(State(state): State<Arc<Mutex<Record>>>, Json(request): Json<Value>) -> Response {
    let inputs: Vec<String> =
        request["input"].as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect();
    let mood = {
        let mut record = state.lock().expect("the lock");
        record.texts.extend(inputs.clone());
        record.mood
    };
    match mood {
        Mood::Well => answer(&inputs, 64),
        Mood::WrongDimension => answer(&inputs, 63),
        Mood::Failing => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": { "message": "broken" } }))).into_response(),
        Mood::Busy => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], Json(json!({ "error": {} }))).into_response(),
        Mood::Nonsense => "<html>hello</html>".into_response(),
        Mood::Silent => {
            let _left = Left(state);
            std::future::pending().await
        }
    }
}

fn answer(inputs: &[String], dimensions: usize) -> Response {
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": embedding(text, dimensions) }))
        .collect();
    Json(json!({ "object": "list", "model": "test-embedding", "data": data })).into_response()
}

/// Each word adds its own direction, so texts that share words are near each other.
pub fn embedding(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.01_f32; dimensions];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        for salt in 0..4_u8 {
            let mut hasher = DefaultHasher::new();
            (word, salt).hash(&mut hasher);
            let hash = hasher.finish();
            let sign = if hash & 1 == 0 { 1.0 } else { -1.0 };
            vector[(hash >> 1) as usize % dimensions] += sign;
        }
    }
    vector
}
