//! What one can ask for, and the answers that are more than a memory. One command a tool: the tool
//! `submit_memory` takes a [`SubmitMemory`].

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::memory::{Category, MemoryText, Permission, QueryText, Tag, Tags};
use crate::page::{ExpirationStatus, ListLimit, Order, SearchLimit, Sort};
use crate::query::{SearchMode, SearchScope};
use crate::{Memory, MemoryId, Timestamp, UserId};

/// Tells a member that is null from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Refuses null where only absence means "leave as it is".
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Stores a memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitMemory {
    /// What to remember: 1 to 32,768 characters, Markdown allowed.
    pub text: MemoryText,
    /// Who may see it: `private` (you alone) or `public` (every signed-in person).
    #[serde(default)]
    pub permission: Permission,
    /// When it stops being shown; a time in the future.
    pub expiration_date: Option<Timestamp>,
    /// Labels to find it by.
    #[serde(default)]
    pub tags: Tags,
    /// One category.
    pub category: Option<Category>,
}

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

/// Changes a memory; what is left out stays as it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMemory {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// The new text.
    #[serde(default, deserialize_with = "not_null")]
    pub text: Option<MemoryText>,
    /// Who may see it from now on.
    #[serde(default, deserialize_with = "not_null")]
    pub permission: Option<Permission>,
    /// When it stops being shown; null: never.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Timestamp>", extend("x-nullable" = true))]
    pub expiration_date: Option<Option<Timestamp>>,
    /// The new labels, all of them.
    #[serde(default, deserialize_with = "not_null")]
    pub tags: Option<Tags>,
    /// The new category; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Category>", extend("x-nullable" = true))]
    pub category: Option<Option<Category>>,
    /// Change it only if this is still its version.
    #[serde(default, deserialize_with = "not_null")]
    pub version: Option<i64>,
}

/// Changes who may see a memory.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyPermissions {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// Who may see it from now on: `private` (you alone) or `public` (every signed-in person).
    pub permission: Permission,
}

/// Deletes a memory for good.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteMemory {
    /// The memory's id.
    pub memory_id: MemoryId,
}

/// Finds memories by meaning.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryMemory {
    /// What to look for, in plain words.
    pub query: QueryText,
    /// How many to return at most.
    #[serde(default)]
    pub limit: SearchLimit,
    /// Where to look: in your `own` memories, in what is `public`, or in `all` that you may see.
    #[serde(default)]
    pub scope: SearchScope,
    /// How to compare.
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
            permission: self.permission,
            expiration_status: self.expiration_status,
            tags: self.tags.clone(),
            category: self.category.clone(),
            created_after: self.created_after,
            created_before: self.created_before,
        }
    }
}

/// One page of memories.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemoryPage {
    /// The memories.
    pub memories: Vec<Memory>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// How many memories there are on all pages.
    pub total: i64,
}

/// Says that a memory is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deleted {
    /// The memory's id.
    pub id: MemoryId,
    /// Always true.
    pub deleted: bool,
    /// The same in words.
    pub message: String,
}

/// A memory in short, for listings of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemorySummary {
    /// The memory's id.
    pub id: MemoryId,
    /// Its first line, cut after 120 characters.
    pub summary: String,
    /// Who may see it.
    pub permission: Permission,
    /// Labels.
    pub tags: Vec<String>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl From<Memory> for MemorySummary {
    fn from(memory: Memory) -> Self {
        let line = memory.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let mut summary: String = line.chars().take(120).collect();
        if summary.len() < line.len() {
            summary.push('…');
        }
        Self { id: memory.id, summary, permission: memory.permission, tags: memory.tags, updated_at: memory.updated_at }
    }
}

/// One page of summaries: what the resource `users://{user_id}/memories` holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SummaryPage {
    /// The memories in short.
    pub memories: Vec<MemorySummary>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
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

    fn update(json: &str) -> Result<UpdateMemory, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn null_clears_and_absence_keeps() {
        let id = MemoryId::generate();

        let kept = update(&format!(r#"{{"memory_id": "{id}"}}"#)).expect("a command");
        assert_eq!((kept.expiration_date, kept.category), (None, None));

        let cleared =
            update(&format!(r#"{{"memory_id": "{id}", "expiration_date": null, "category": null}}"#)).expect("a command");
        assert_eq!((cleared.expiration_date, cleared.category), (Some(None), Some(None)));

        assert!(update(&format!(r#"{{"memory_id": "{id}", "text": null}}"#)).is_err());
    }

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
