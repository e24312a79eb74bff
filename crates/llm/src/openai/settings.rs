//! What the operator sets, and what follows from it.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

/// How much of a conversation are rules, instructions, earlier turns and the question, in tokens.
const REST: usize = 3_000;
/// What there is room for in any case.
const LEAST_BUDGET: usize = 500;

/// Where to ask, and for what.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// Up to and without `/chat/completions`, e.g. `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token when there is one.
    pub api_key: Option<SecretString>,
    /// The models that may be asked for, the default first; never empty.
    pub models: Vec<String>,
    /// How many tokens the model reads and writes in all.
    pub context_tokens: usize,
    /// How many it may write.
    pub max_tokens: u32,
    /// How long it may take until the first text.
    pub first_text: Duration,
    /// How long a stream may be silent.
    pub silence: Duration,
    /// How long an answer may take in all.
    pub total: Duration,
    /// How many answers are written at the same time.
    pub parallel: usize,
}

/// Why the settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not an address of the web.
    #[error("LLM_BASE_URL: must be an http or https URL")]
    BaseUrl,
    /// No header can hold it.
    #[error("LLM_API_KEY: has characters that no HTTP header can hold")]
    ApiKey,
    /// There is none.
    #[error("LLM_MODEL: name a model")]
    Model,
    /// TLS could not be set up, for instance.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[source] reqwest::Error),
}

impl OpenAiSettings {
    pub(super) fn endpoint(&self) -> Result<Url, SettingsError> {
        let mut url = Url::parse(self.base_url.trim()).map_err(|_| SettingsError::BaseUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SettingsError::BaseUrl);
        }
        url.path_segments_mut().map_err(|()| SettingsError::BaseUrl)?.pop_if_empty().extend(["chat", "completions"]);
        Ok(url)
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, SettingsError> {
        let Some(key) = &self.api_key else { return Ok(None) };
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).map_err(|_| SettingsError::ApiKey)?;
        // Keeps it out of debug output.
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// What is left for sources.
    pub(super) fn budget(&self) -> usize {
        self.context_tokens.saturating_sub(self.max_tokens as usize + REST).max(LEAST_BUDGET)
    }

    /// What is left for everything that is sent.
    pub(super) fn room(&self) -> usize {
        self.budget() + REST
    }
}

/// The client follows no redirect: a key is sent nowhere else.
#[expect(clippy::disallowed_methods, reason = "the one client of this crate")]
pub(super) fn client() -> Result<Client, SettingsError> {
    let client = Client::builder().redirect(Policy::none()).connect_timeout(Duration::from_secs(5));
    client.user_agent("picard").build().map_err(SettingsError::Client)
}
