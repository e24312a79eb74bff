//! How things are.

use std::time::Duration;

use crate::App;
use futures_util::future::BoxFuture;
pub use picard_llm::Condition;

/// The state of everything the server needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the database answers.
    pub is_database_up: bool,
    /// Whether embeddings can be made.
    pub is_embedding_up: bool,
    /// How the model that answers is.
    pub llm: Condition,
    /// How many texts wait for their embedding; `None` while the database is away.
    pub embedding_backlog: Option<i64>,
}

impl App {
    /// What answers have cost since this server began, by model: tokens of prompts, tokens of answers.
    #[must_use]
    pub fn spent_tokens(&self) -> Vec<(String, u64, u64)> {
        self.0.spent.sums()
    }

    /// Asks the database, for a second at most, and tells what the last embeddings were like.
    pub fn health<'a>(&'a self) -> BoxFuture<'a, Health> {
        Box::pin(async move {
            let answer = tokio::time::timeout(Duration::from_secs(1), self.embedding_backlog()).await;
            let embedding_backlog = answer.ok().and_then(Result::ok);
            Health {
                is_database_up: embedding_backlog.is_some(),
                is_embedding_up: !self.0.embedding.is_failing(),
                llm: self.0.llm.condition(),
                embedding_backlog,
            }
        })
    }

    /// Whether the database answers within a second.
    pub fn is_ready<'a>(&'a self) -> BoxFuture<'a, bool> {
        Box::pin(async move { matches!(tokio::time::timeout(Duration::from_secs(1), self.0.store.ping()).await, Ok(Ok(()))) })
    }
}
