//! What reads memories.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::memory::{Category, Permission, QueryText, Tag, Tags};
use crate::page::{ExpirationStatus, ListLimit, Order, SearchLimit, Sort};
use crate::query::{SearchMode, SearchScope};
use crate::{MemoryId, Timestamp, UserId};

/// Reads one memory.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMemory {
    /// The memory's id.
    pub memory_id: MemoryId,
}

/// Which memories a list or a search considers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MemoryFilter {
    /// Only this person's.
    pub user_id: Option<UserId>,
    /// Only with this permission.
    pub permission: Option<Permission>,
    /// Whether expired ones are wanted.
    pub expiration_status: ExpirationStatus,
    /// Only with all of these tags.
    pub tags: Tags,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only written at or after this time.
    pub created_after: Option<Timestamp>,
    /// Only written before this time.
    pub created_before: Option<Timestamp>,
}

/// Lists memories of one person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMemories {
    /// Whose memories; yours when left out. Of other people you get what you may see.
    pub user_id: Option<UserId>,
    /// Only with this permission.
    pub permission: Option<Permission>,
    /// Whether expired memories are wanted (only your own are ever shown).
    #[serde(default)]
    pub expiration_status: ExpirationStatus,
    /// Only with all of these tags.
    #[serde(default)]
    pub tags: Tags,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only written at or after this time.
    pub created_after: Option<Timestamp>,
    /// Only written before this time.
    pub created_before: Option<Timestamp>,
    /// What to sort by.
    #[serde(default)]
    pub sort: Sort,
    /// Earliest (`asc`) or latest (`desc`) first.
    #[serde(default)]
    pub order: Order,
    /// How many to return at most.
    #[serde(default)]
    pub limit: ListLimit,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists all memories of the caller, expired ones too.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrieveMemories {
    /// Only with this permission.
    pub permission: Option<Permission>,
    /// How many to return at most.
    #[serde(default)]
    pub limit: ListLimit,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Finds memories by meaning and by word.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryMemory {
    /// What to look for, in plain words.
    pub query: QueryText,
    /// How many to return at most.
    #[serde(default)]
    pub limit: SearchLimit,
    /// Where to look: in your `own` memories, in what is `shared` with you, in what is `public`, or in `all` that you may see.
    /// Left out, it is `own`; with another person's `user_id`, `all`.
    pub scope: Option<SearchScope>,
    /// Only this person's memories, as far as you may see them.
    pub user_id: Option<UserId>,
    /// How to compare: by meaning (`semantic`), by words (`keyword`), or by both (`hybrid`).
    #[serde(default)]
    pub mode: SearchMode,
    /// Only with this permission.
    pub permission: Option<Permission>,
    /// Whether expired memories are wanted (only your own are ever shown).
    #[serde(default)]
    pub expiration_status: ExpirationStatus,
    /// Only with all of these tags.
    #[serde(default)]
    pub tags: Tags,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only written at or after this time.
    pub created_after: Option<Timestamp>,
    /// Only written before this time.
    pub created_before: Option<Timestamp>,
    /// Leave out what scores lower, from 0 to 1.
    #[serde(default, alias = "similarity_threshold", deserialize_with = "score")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_score: Option<f64>,
}

fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Option::<f64>::deserialize(deserializer)? {
        Some(score) if !(0.0..=1.0).contains(&score) => Err(D::Error::custom("must be from 0 to 1")),
        score => Ok(score),
    }
}

impl GetMemories {
    /// The filters of this list.
    #[must_use]
    pub fn filter(&self) -> MemoryFilter {
        MemoryFilter {
            user_id: None,
            permission: self.permission,
            expiration_status: self.expiration_status,
            tags: self.tags.clone(),
            category: self.category.clone(),
            created_after: self.created_after,
            created_before: self.created_before,
        }
    }
}

impl QueryMemory {
    /// The filters of this search.
    #[must_use]
    pub fn filter(&self) -> MemoryFilter {
        MemoryFilter {
            user_id: self.user_id,
            permission: self.permission,
            expiration_status: self.expiration_status,
            tags: self.tags.clone(),
            category: self.category.clone(),
            created_after: self.created_after,
            created_before: self.created_before,
        }
    }
}

/// Lists the versions of a memory, the newest first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryHistory {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// How many to return at most.
    #[serde(default)]
    pub limit: ListLimit,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Counts what people let be counted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregateMemories {
    /// Only with all of these tags.
    #[serde(default)]
    pub tags: Tags,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only those in which all of these words stand.
    pub query: Option<QueryText>,
}

/// Which summaries the resource `users://{user_id}/memories{?permission,tags,limit,cursor}` shall hold.
#[derive(Debug, Clone)]
pub struct ListSummaries {
    /// Whose memories.
    pub user_id: UserId,
    /// Only with this permission.
    pub permission: Option<Permission>,
    /// Only with all of these tags.
    pub tags: Vec<Tag>,
    /// How many to return at most.
    pub limit: ListLimit,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_and_bad_limits_are_refused() {
        for json in [
            r#"{"query": "x", "user_id": "y"}"#,
            r#"{"query": "x", "limit": 0}"#,
            r#"{"query": "x", "limit": 101}"#,
            r#"{"query": "x", "limit": "10"}"#,
            r#"{"query": "x", "limit": 1.5}"#,
            r#"{"query": "x", "min_score": 1.1}"#,
            r#"{"query": "x", "scope": "OWN"}"#,
            r#"{"query": ""}"#,
        ] {
            assert!(serde_json::from_str::<QueryMemory>(json).is_err(), "{json}");
        }
        let query: QueryMemory = serde_json::from_str(r#"{"query": "x", "similarity_threshold": 0.5}"#).expect("a command");
        assert_eq!((query.limit.get(), query.min_score), (10, Some(0.5)));
    }
}
