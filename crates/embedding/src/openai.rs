//! Any endpoint that speaks OpenAI's embeddings API.

mod breaker;
mod retry;
mod settings;
mod split;
mod wire;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use picard_domain::Vector;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, Url};

use crate::{EmbedError, Embedder};
use breaker::Breaker;
use retry::Failure;
pub use settings::{OpenAiSettings, SettingsError};
use wire::Body;

/// Tries of one request, the first included.
const TRIES: u32 = 3;

/// The client.
#[derive(Debug)]
pub struct OpenAiCompatible {
    http: Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    name: String,
    asked_model: String,
    dimensions: usize,
    asked_dimensions: Option<usize>,
    timeout: Duration,
    breaker: Breaker,
}

impl OpenAiCompatible {
    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn new(settings: OpenAiSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            http: settings::client()?,
            endpoint: settings.endpoint()?,
            authorization: settings.authorization()?,
            name: settings.name(),
            dimensions: settings.vector_dimensions()?,
            asked_dimensions: settings.dimensions,
            asked_model: settings.model,
            timeout: settings.timeout,
            breaker: Breaker::default(),
        })
    }

    /// One request's worth of texts: the breaker around the retries, and a time limit around both.
    async fn batch(&self, texts: &[&str]) -> Result<Vec<Vector>, EmbedError> {
        self.breaker.admit(Instant::now())?;
        let outcome = tokio::time::timeout(self.timeout, self.tries(texts)).await;
        let outcome = outcome.unwrap_or_else(|_| {
            let reason = format!("no answer within {:?}", self.timeout);
            Err(EmbedError::unavailable(reason))
        });

        self.breaker.record(&outcome, Instant::now());
        outcome
    }

    async fn tries(&self, texts: &[&str]) -> Result<Vec<Vector>, EmbedError> {
        let mut tries = 1;
        loop {
            let failure = match self.attempt(texts).await {
                Ok(vectors) => return Ok(vectors),
                Err(failure) => failure,
            };
            match failure.pause(tries) {
                Some(pause) if tries < TRIES => {
                    tracing::debug!(error = %failure.error, tries, "asking for embeddings again");
                    tokio::time::sleep(pause).await;
                    tries += 1;
                }
                _ => return Err(failure.error),
            }
        }
    }

    async fn attempt(&self, texts: &[&str]) -> Result<Vec<Vector>, Failure> {
        let body = Body {
            model: &self.asked_model,
            input: texts,
            dimensions: self.asked_dimensions,
            encoding_format: wire::ENCODING_FORMAT,
        };
        let mut request = self.http.post(self.endpoint.clone()).json(&body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }

        let response = request.send().await.map_err(|error| Failure::sending(&error))?;
        if !response.status().is_success() {
            return Err(Failure::status(response).await);
        }
        self.read(response, texts.len()).await.map_err(Failure::finally)
    }

    async fn read(&self, response: Response, count: usize) -> Result<Vec<Vector>, EmbedError> {
        let bytes = wire::bounded(response, wire::MAX_ANSWER).await?;
        let answer = wire::parse(&bytes)?;
        settings::check_echo(&self.asked_model, answer.model.as_deref())?;
        answer.vectors(count, self.dimensions)
    }
}

#[async_trait]
impl Embedder for OpenAiCompatible {
    fn model(&self) -> &str {
        &self.name
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn windows<'a>(&self, text: &'a str) -> Vec<&'a str> {
        split::windows(text)
    }

    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vector>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in split::batches(texts) {
            vectors.extend(self.batch(batch).await?);
        }
        Ok(vectors)
    }
}
