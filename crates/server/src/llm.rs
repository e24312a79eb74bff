//! Which model answers for personas.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use picard_crypto::{ExposeSecret, SecretString};
use picard_llm::{Extractive, Llm, OpenAiCompatible, OpenAiSettings};

use crate::config::secret;
use crate::{Config, StartError};

/// Where answers come from.
#[derive(Debug, Clone, Args)]
pub(crate) struct LlmConfig {
    /// The base URL of an OpenAI-compatible endpoint, up to and without /chat/completions. Without it or LLM_MODEL, answers quote the memories that fit best.
    #[arg(long, env = "LLM_BASE_URL")]
    pub llm_base_url: Option<String>,

    /// The endpoint's key, if it wants one.
    #[arg(long, env = "LLM_API_KEY", value_parser = secret, hide_env_values = true, allow_hyphen_values = true)]
    pub llm_api_key: Option<SecretString>,

    /// The model that answers unless a persona's owner chose another.
    #[arg(long, env = "LLM_MODEL")]
    pub llm_model: Option<String>,

    /// Further models that a persona's owner may choose, with commas between.
    #[arg(long, env = "LLM_MODELS", value_delimiter = ',')]
    pub llm_models: Vec<String>,

    /// How many tokens the model reads and writes in all. What rules, question and answer leave of it is for memories; their tokens are estimated, for prose up to three times too high.
    #[arg(long, env = "LLM_CONTEXT_TOKENS", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1_024..=2_000_000))]
    pub llm_context_tokens: u32,

    /// How many tokens an answer may have.
    #[arg(long, env = "LLM_MAX_TOKENS", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(16..=32_768))]
    pub llm_max_tokens: u32,

    /// For how many seconds the first words of an answer are waited for; raise it for a model that runs without a graphics card.
    #[arg(long, env = "LLM_FIRST_TEXT_SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub llm_first_text_seconds: u64,

    /// For how many seconds an answer may pause.
    #[arg(long, env = "LLM_SILENCE_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub llm_silence_seconds: u64,

    /// For how many seconds an answer is written at most; then it is cut.
    #[arg(long, env = "LLM_TOTAL_SECONDS", default_value_t = 28, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub llm_total_seconds: u64,

    /// How many answers this process has written at the same time.
    #[arg(long, env = "LLM_PARALLEL", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub llm_parallel: u16,
}

impl LlmConfig {
    /// What the endpoint is asked with; nothing unless both it and a model are named.
    fn settings(&self) -> Option<OpenAiSettings> {
        let base_url = named(self.llm_base_url.as_deref())?.to_owned();
        let default = named(self.llm_model.as_deref())?;
        let mut models = vec![default.to_owned()];
        for model in self.llm_models.iter().filter_map(|model| named(Some(model.as_str()))) {
            if !models.iter().any(|known| known == model) {
                models.push(model.to_owned());
            }
        }
        Some(OpenAiSettings {
            base_url,
            // A variable that is set to nothing is no key.
            api_key: self.llm_api_key.clone().filter(|key| !key.expose_secret().is_empty()),
            models,
            context_tokens: self.llm_context_tokens as usize,
            max_tokens: self.llm_max_tokens,
            first_text: Duration::from_secs(self.llm_first_text_seconds),
            silence: Duration::from_secs(self.llm_silence_seconds),
            total: Duration::from_secs(self.llm_total_seconds),
            parallel: usize::from(self.llm_parallel),
        })
    }

    /// The variable without which the other one does nothing.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        match (named(self.llm_base_url.as_deref()), named(self.llm_model.as_deref())) {
            (Some(_), None) => Some("LLM_MODEL"),
            (None, Some(_)) => Some("LLM_BASE_URL"),
            _ => None,
        }
    }
}

fn named(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The model that the configuration names; without one, what quotes the memories that fit best. Nothing is sent yet.
///
/// # Errors
/// [`StartError::Config`], which names the variable of an endpoint that cannot be asked, and never its value.
pub fn llm(config: &Config) -> Result<Arc<dyn Llm>, StartError> {
    let Some(settings) = config.llm.settings() else {
        return Ok(Arc::new(Extractive));
    };
    match OpenAiCompatible::new(settings) {
        Ok(endpoint) => Ok(Arc::new(endpoint)),
        Err(error) => Err(StartError::Config(vec![error.to_string()])),
    }
}
