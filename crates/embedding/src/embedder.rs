//! The one interface, and how it fails.

use std::time::Duration;

use async_trait::async_trait;
use picard_domain::Vector;

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The name stored with each vector. Vectors of different names cannot be compared.
    fn model(&self) -> &str;

    /// How many numbers each vector has.
    fn dimensions(&self) -> usize;

    /// The text cut into overlapping pieces that each fit the model; always at least one.
    fn windows<'a>(&self, text: &'a str) -> Vec<&'a str>;

    /// One vector a text, in the order of the texts.
    ///
    /// # Errors
    /// All or nothing: one text the model cannot take fails the others of the same call, so after
    /// [`EmbedError::Rejected`] or [`EmbedError::InvalidAnswer`] try them one at a time.
    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vector>, EmbedError>;
}

/// Why there is no vector. Never contains a key or a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// Nothing is wrong with the texts: the same call may succeed later.
    #[error("embeddings are not available: {reason}")]
    Unavailable {
        /// How long to wait at least, when it is known.
        retry_after: Option<Duration>,
        /// What happened, for the log.
        reason: String,
    },

    /// What came back is no embedding of these texts; nothing of it may be stored.
    #[error("the embedding model gave an invalid answer: {0}")]
    InvalidAnswer(String),

    /// The provider does not take these texts: trying again changes nothing.
    #[error("the embedding model rejected the request: {0}")]
    Rejected(String),
}

impl EmbedError {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { retry_after: None, reason: reason.into() }
    }
}
