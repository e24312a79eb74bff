//! A provider of long vectors that costs next to nothing: every word is a direction, and a text is the sum of its words.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::texts::Random;
use crate::problem::Problem;

/// As many numbers as the vectors of the best-known provider have, if nothing else is said.
pub(super) const DIMENSIONS: u16 = 1_536;

/// The directions of words that were met, and how many numbers each has.
type Words = Arc<(Mutex<HashMap<String, Vec<f32>>>, u16)>;

/// The provider; it ends when it is dropped.
pub(super) struct Provider {
    pub(super) port: u16,
    words: Words,
    serving: JoinHandle<()>,
}

impl Provider {
    /// Starts on a free port.
    pub(super) async fn start(dimensions: u16) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::from_error("start the bench's provider of embeddings", &error);
        let words: Words = Arc::new((Mutex::default(), dimensions));
        let router = Router::new().route("/v1/embeddings", post(embeddings)).with_state(Arc::clone(&words));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let serving = tokio::spawn(async move {
            // It ends with the bench.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, words, serving })
    }

    /// How many numbers a vector has.
    pub(super) fn dimensions(&self) -> u16 {
        self.words.1
    }

    /// The vector of a text, as the server gets it.
    pub(super) fn vector(&self, text: &str) -> Vec<f32> {
        vector(&self.words, text)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn embeddings(State(words): State<Words>, Json(request): Json<Value>) -> Json<Value> {
    let texts = request["input"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let bytes = |text: &str| vector(&words, text).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
    let item = |(index, text): (usize, &str)| json!({ "index": index, "embedding": BASE64_STANDARD.encode(bytes(text)) });
    let data: Vec<Value> = texts.enumerate().map(item).collect();
    Json(json!({ "object": "list", "model": request["model"], "data": data, "usage": { "prompt_tokens": 0, "total_tokens": 0 } }))
}

fn vector(words: &Words, text: &str) -> Vec<f32> {
    let dimensions = usize::from(words.1);
    let mut words = words.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sum = vec![0.0_f32; dimensions];
    for word in text.split_whitespace() {
        let direction = words.entry(word.to_owned()).or_insert_with(|| direction(word, dimensions));
        sum.iter_mut().zip(direction.iter()).for_each(|(sum, part)| *sum += part);
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.iter().map(|number| number / length).collect()
}

fn direction(word: &str, dimensions: usize) -> Vec<f32> {
    let seed = word.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Random(seed);
    #[expect(clippy::cast_precision_loss, reason = "numbers up to a million are exact")]
    let number = |random: &mut Random| random.below(2_000_001) as f32 / 1_000_000.0 - 1.0;
    (0..dimensions).map(|_| number(&mut random)).collect()
}
