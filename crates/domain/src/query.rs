//! Searching.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Memory;

/// In which memories a search looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SearchScope {
    /// The caller's own.
    #[default]
    Own,
    /// What others share with the caller.
    Shared,
    /// What anyone made public, the caller included.
    Public,
    /// Everything the caller may see.
    All,
}

/// How a search compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SearchMode {
    /// By both: a weighted sum of the two.
    #[default]
    Hybrid,
    /// By meaning: cosine similarity of embeddings.
    Semantic,
    /// By words: BM25.
    Keyword,
}

impl SearchMode {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Semantic => "semantic",
            Self::Keyword => "keyword",
        }
    }
}

/// A memory that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SearchHit {
    /// The memory.
    #[serde(flatten)]
    pub memory: Memory,
    /// From 0 to 1, higher is nearer.
    pub score: f64,
    /// Cosine similarity, from -1 to 1; null when only words were compared, or when the embedding is still to be made.
    pub similarity: Option<f64>,
}

/// What a search found, nearest first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SearchHits {
    /// What was searched for.
    pub query: String,
    /// How it was compared.
    pub mode: SearchMode,
    /// The memories, in falling score.
    pub memories: Vec<SearchHit>,
    /// How many memories match at or above `min_score`, before `limit`.
    pub total_found: i64,
}
