//! What the operator sets, and what follows from it.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::EmbedError;

/// Where to ask, and for what.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// Up to and without `/embeddings`, e.g. `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token when there is one.
    pub api_key: Option<SecretString>,
    /// The model's name at the provider.
    pub model: String,
    /// Sent along only when set. When it is not, the model must be one whose dimensions are known.
    pub dimensions: Option<usize>,
    /// For one request with all its retries.
    pub timeout: Duration,
}

/// Why the settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not an address of the web.
    #[error("the base URL of the embeddings is not an http or https URL")]
    BaseUrl,
    /// No header can hold it.
    #[error("the API key of the embeddings has characters that no HTTP header can hold")]
    ApiKey,
    /// No guess is made: a wrong one would fail every answer.
    #[error("the dimensions of the model {model} are not known: set EMBEDDING_DIMENSIONS")]
    Dimensions {
        /// The model that was asked for.
        model: String,
    },
    /// TLS could not be set up, for instance.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[source] reqwest::Error),
}

/// Models whose vectors have a known length when none is asked for.
const KNOWN: [(&str, usize); 3] =
    [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)];

impl OpenAiSettings {
    pub(super) fn endpoint(&self) -> Result<Url, SettingsError> {
        let mut url = Url::parse(self.base_url.trim()).map_err(|_| SettingsError::BaseUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SettingsError::BaseUrl);
        }
        url.path_segments_mut().map_err(|()| SettingsError::BaseUrl)?.pop_if_empty().push("embeddings");
        Ok(url)
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, SettingsError> {
        let Some(key) = &self.api_key else {
            return Ok(None);
        };
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).map_err(|_| SettingsError::ApiKey)?;
        // Keeps it out of debug output.
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Shortened vectors cannot be compared with full ones, so the name tells them apart.
    pub(super) fn name(&self) -> String {
        match self.dimensions {
            Some(dimensions) => format!("{}@{dimensions}", self.model),
            None => self.model.clone(),
        }
    }

    pub(super) fn vector_dimensions(&self) -> Result<usize, SettingsError> {
        let known = KNOWN.iter().find(|(model, _)| *model == self.model);
        self.dimensions
            .or(known.map(|(_, dimensions)| *dimensions))
            .filter(|dimensions| *dimensions > 0)
            .ok_or_else(|| SettingsError::Dimensions { model: self.model.clone() })
    }
}

/// No redirects: they would take the key and the texts to an address nobody configured.
#[expect(clippy::disallowed_methods, reason = "this crate's one client")]
pub(super) fn client() -> Result<Client, SettingsError> {
    Client::builder().redirect(Policy::none()).build().map_err(SettingsError::Client)
}

/// Refuses the answer of another model. Only for models with a name everyone agrees on: gateways and local
/// servers echo whatever they call theirs.
pub(super) fn check_echo(asked: &str, echoed: Option<&str>) -> Result<(), EmbedError> {
    let is_known = KNOWN.iter().any(|(model, _)| *model == asked);
    let Some(echoed) = echoed.filter(|name| is_known && !name.is_empty()) else {
        return Ok(());
    };
    // "openai/text-embedding-3-small" and "text-embedding-ada-002-v2" are the models asked for.
    if echoed.contains(asked) {
        return Ok(());
    }
    let reason = format!("another model than {asked} answered");
    Err(EmbedError::InvalidAnswer(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(model: &str, dimensions: Option<usize>) -> OpenAiSettings {
        OpenAiSettings {
            base_url: "https://api.example/v1/".to_owned(),
            api_key: Some(SecretString::from("sk-very-secret")),
            model: model.to_owned(),
            dimensions,
            timeout: Duration::from_secs(10),
        }
    }

    #[test]
    fn the_endpoint_keeps_path_and_query() {
        for (base, expected) in [
            ("https://a.example/v1", "https://a.example/v1/embeddings"),
            ("https://a.example/v1/", "https://a.example/v1/embeddings"),
            ("http://[::1]:8080", "http://[::1]:8080/embeddings"),
            ("https://a.example/d?api-version=1", "https://a.example/d/embeddings?api-version=1"),
        ] {
            let mut settings = settings("m", Some(1));
            settings.base_url = base.to_owned();
            assert_eq!(settings.endpoint().expect("valid").as_str(), expected);
        }
        for base in ["", "api.example", "file:///etc", "mailto:a@b.example"] {
            let mut settings = settings("m", Some(1));
            settings.base_url = base.to_owned();
            assert!(settings.endpoint().is_err(), "{base}");
        }
    }

    #[test]
    fn dimensions_are_known_asked_for_or_missing() {
        let of = |model, asked| settings(model, asked).vector_dimensions();

        assert_eq!(of("text-embedding-3-large", None).ok(), Some(3072));
        assert_eq!(of("text-embedding-3-large", Some(256)).ok(), Some(256));
        assert_eq!(of("nomic-embed-text", Some(768)).ok(), Some(768));
        assert!(of("text-embedding-3-small", Some(0)).is_err());
        let error = of("nomic-embed-text", None).expect_err("unknown");
        assert!(error.to_string().contains("EMBEDDING_DIMENSIONS"));
    }

    #[test]
    fn the_name_says_which_dimensions_were_asked_for() {
        assert_eq!(settings("m", None).name(), "m");
        assert_eq!(settings("m", Some(512)).name(), "m@512");
    }

    #[test]
    fn the_key_is_in_no_debug_output() {
        let settings = settings("text-embedding-3-small", None);
        let shown = format!("{settings:?} {:?}", settings.authorization());
        assert!(!shown.contains("very-secret"), "{shown}");
    }

    #[test]
    fn a_known_model_must_answer_itself() {
        let small = "text-embedding-3-small";
        assert!(check_echo(small, None).is_ok());
        assert!(check_echo(small, Some("openai/text-embedding-3-small")).is_ok());
        assert!(check_echo("text-embedding-ada-002", Some("text-embedding-ada-002-v2")).is_ok());
        assert!(check_echo("my-deployment", Some("text-embedding-3-small")).is_ok());
        assert!(check_echo(small, Some("text-embedding-3-large")).is_err());
    }
}
