//! Any endpoint that speaks OpenAI's chat completions API.

mod breaker;
mod settings;
mod stream;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::prompt::{Message, fitting};
use crate::{AnswerStream, Condition, Conversation, Llm, LlmError};
use breaker::Breaker;
pub use settings::{OpenAiSettings, SettingsError};
use stream::{Limits, Writing};
use wire::{Body, StreamOptions};

/// Tries of one request, the first included.
const TRIES: u32 = 3;
/// The first pause between tries, at most; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A wait that the person who asks need not hear of.
const SHORT: Duration = Duration::from_secs(2);
/// How long one waits for others' answers to be written.
const TURN: Duration = Duration::from_secs(2);
/// The most that is read of an error's body, in bytes.
const MOST_OF_ERROR: usize = 64 * 1024;

/// The client.
pub struct OpenAiCompatible {
    http: Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    models: Vec<String>,
    budget: usize,
    /// How many tokens everything that is sent may have.
    room: usize,
    max_tokens: u32,
    limits: Limits,
    turns: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    /// Whether the endpoint wants `max_completion_tokens` instead of `max_tokens`: OpenAI's newer models do, most other
    /// endpoints know the older name only. It is found out by the first refusal.
    wants_new_name: AtomicBool,
}

/// A try that failed.
struct Failure {
    error: LlmError,
    may_retry: bool,
    /// What the endpoint says is wrong with the request.
    complaint: String,
}

impl OpenAiCompatible {
    /// Checks the settings; nothing is sent yet.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn new(settings: OpenAiSettings) -> Result<Self, SettingsError> {
        if settings.models.first().is_none_or(String::is_empty) {
            return Err(SettingsError::Model);
        }
        Ok(Self {
            http: settings::client()?,
            endpoint: settings.endpoint()?,
            authorization: settings.authorization()?,
            budget: settings.budget(),
            room: settings.room(),
            max_tokens: settings.max_tokens,
            limits: Limits { first_text: settings.first_text, silence: settings.silence, total: settings.total },
            turns: Arc::new(Semaphore::new(settings.parallel.max(1))),
            models: settings.models,
            breaker: Arc::default(),
            wants_new_name: AtomicBool::new(false),
        })
    }

    async fn begin(&self, conversation: &Conversation, messages: &[Message]) -> Result<Response, LlmError> {
        let mut tries = 1;
        loop {
            let is_new = self.wants_new_name.load(Ordering::Relaxed);
            let failure = match self.attempt(conversation, messages, is_new).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            // Others may find it out at the same time: what counts is what this try was sent with.
            if !is_new && failure.complaint.contains("max_completion_tokens") {
                self.wants_new_name.store(true, Ordering::Relaxed);
                continue;
            }
            let asked = match &failure.error {
                LlmError::Unavailable { retry_after, .. } => retry_after.unwrap_or_default(),
                _ => Duration::ZERO,
            };
            if tries == TRIES || !failure.may_retry || asked > SHORT {
                return Err(failure.error);
            }
            tracing::debug!(cause = %failure.error, tries, "A model is asked again.");
            tokio::time::sleep(asked.max(pause(tries))).await;
            tries += 1;
        }
    }

    async fn attempt(&self, conversation: &Conversation, messages: &[Message], is_new: bool) -> Result<Response, Failure> {
        let temperature = conversation.options.temperature.filter(|temperature| temperature.is_finite());
        let body = Body {
            model: self.chosen(conversation),
            messages,
            stream: true,
            stream_options: Some(StreamOptions { include_usage: true }),
            temperature: temperature.map(|temperature| temperature.clamp(0.0, 2.0)),
            max_tokens: (!is_new).then_some(self.max_tokens),
            max_completion_tokens: is_new.then_some(self.max_tokens),
        };
        let mut request = self.http.post(self.endpoint.clone()).json(&body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|error| Failure::sending(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(Failure::status(response).await) }
    }

    /// Only models that the operator allows are passed on (LLM-09).
    fn chosen<'a>(&'a self, conversation: &'a Conversation) -> &'a str {
        let asked = conversation.options.model.as_ref().filter(|model| self.models.contains(model));
        asked.map_or_else(|| self.model(), String::as_str)
    }
}

#[async_trait]
impl Llm for OpenAiCompatible {
    fn model(&self) -> &str {
        self.models.first().map_or("", String::as_str)
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    fn condition(&self) -> Condition {
        if self.breaker.is_open() { Condition::Failing } else { Condition::Well }
    }

    fn budget(&self) -> usize {
        self.budget
    }

    async fn answer(&self, mut conversation: Conversation) -> Result<AnswerStream, LlmError> {
        let Some((messages, input)) = fitting(&mut conversation, self.room) else {
            return Err(LlmError::Rejected("the question is longer than what the model reads".to_owned()));
        };
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(LlmError::Unavailable {
                retry_after: Some(TURN),
                reason: "too many answers are being written".to_owned(),
            });
        };
        self.breaker.admit(Instant::now())?;
        let began = Instant::now();
        let first = async {
            let response = self.begin(&conversation, &messages).await?;
            let mut writing = Writing::new(response, self.chosen(&conversation), conversation.sources.len(), input);
            writing.first().await.map(|()| writing)
        };
        let first = tokio::time::timeout(self.limits.first_text, first).await;
        let first = first.unwrap_or_else(|_| Err(LlmError::unavailable(format!("no text within {:?}", self.limits.first_text))));
        self.breaker.record(first.as_ref().err(), Instant::now());
        Ok(first?.pieces(self.limits, began, Arc::clone(&self.breaker), turn).boxed())
    }
}

impl Failure {
    /// No answer at all.
    fn sending(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() { "cannot connect" } else { "the connection broke" };
        Self { error: LlmError::unavailable(what), may_retry: error.is_connect(), complaint: String::new() }
    }

    /// An answer other than success.
    async fn status(mut response: Response) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await
            && body.len() < MOST_OF_ERROR
        {
            body.extend_from_slice(&bytes);
        }
        let error = serde_json::from_slice::<Value>(&body).map(|mut body| body["error"].take()).unwrap_or_default();
        let reason = format!("HTTP {}{}", status.as_u16(), wire::code_of(&error));
        let blames_request =
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY);
        Self {
            error: if blames_request { LlmError::Rejected(reason) } else { LlmError::Unavailable { retry_after, reason } },
            may_retry: status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            complaint: if blames_request { String::from_utf8_lossy(&body).into_owned() } else { String::new() },
        }
    }
}

/// Doubles each time, and differs between callers by half, so that they do not all come back at once.
fn pause(tries: u32) -> Duration {
    // The standard library's only source of randomness; nothing secret hangs on it.
    let random = RandomState::new().hash_one(tries) as f64 / u64::MAX as f64;
    (FIRST_PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1))).mul_f64(0.5 + random / 2.0)
}

/// Providers of models send seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for _ in 0..100 {
            let (first, second) = (pause(1), pause(2));
            assert!((FIRST_PAUSE / 2..=FIRST_PAUSE).contains(&first), "FLT-08 {first:?}");
            assert!((FIRST_PAUSE..=FIRST_PAUSE * 2).contains(&second), "FLT-08 {second:?}");
        }
        let many: std::collections::HashSet<Duration> = (0..100).map(|_| pause(1)).collect();
        assert!(many.len() > 50, "FLT-08: they do not all come back at once");
    }
}
