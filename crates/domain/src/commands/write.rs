//! What changes memories.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{IdempotencyKey, not_null, present};
use crate::memory::{Category, MemoryText, Permission, SharedWith, Tags};
use crate::{MemoryId, Timestamp};

/// Stores a memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitMemory {
    /// What to remember: 1 to 32,768 characters, Markdown allowed.
    pub text: MemoryText,
    /// Who may see it: `private` (you alone), `public` (every signed-in person), `shared` (the people and groups in
    /// shared_with) or `aggregate` (nobody, but it counts in anonymous statistics).
    #[serde(default)]
    pub permission: Permission,
    /// When it stops being shown; a time in the future.
    pub expiration_date: Option<Timestamp>,
    /// Labels to find it by.
    #[serde(default)]
    pub tags: Tags,
    /// One category.
    pub category: Option<Category>,
    /// The people and groups who may see it while its permission is `shared`.
    #[serde(default, deserialize_with = "not_null")]
    pub shared_with: Option<SharedWith>,
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a batch does when one of its memories is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnError {
    /// Nothing is stored.
    #[default]
    Stop,
    /// The others are stored.
    Continue,
}

/// Stores many memories.
///
/// Each is read by itself, so that one that is wrong can be named and, if so wished, left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitMemories {
    /// The memories, 1 to 1,000: each with text and, as in submit_memory, permission, expiration_date, tags, category, shared_with.
    #[serde(deserialize_with = "batch")]
    #[schemars(with = "Vec<BatchMemory>", extend("minItems" = 1, "maxItems" = 1000))]
    pub memories: Vec<Value>,
    /// When one is wrong: `stop` stores nothing, `continue` stores the others.
    #[serde(default)]
    pub on_error: OnError,
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
}

fn batch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    let memories = Vec::<Value>::deserialize(deserializer)?;
    if (1..=1_000).contains(&memories.len()) { Ok(memories) } else { Err(D::Error::custom("must have 1 to 1000 memories")) }
}

/// One memory of a batch.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct BatchMemory {
    /// What to remember: 1 to 32,768 characters, Markdown allowed.
    pub text: MemoryText,
    /// Who may see it.
    #[serde(default)]
    pub permission: Permission,
    /// When it stops being shown; a time in the future.
    pub expiration_date: Option<Timestamp>,
    /// Labels to find it by.
    #[serde(default)]
    pub tags: Tags,
    /// One category.
    pub category: Option<Category>,
    /// The people and groups who may see it while its permission is `shared`.
    #[serde(default, deserialize_with = "not_null")]
    pub shared_with: Option<SharedWith>,
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
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Changes who may see a memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModifyPermissions {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// Who may see it from now on: `private` (you alone), `public` (every signed-in person), `shared` (the people and
    /// groups in shared_with) or `aggregate` (nobody, but it counts in anonymous statistics).
    pub permission: Permission,
    /// The people and groups who may see it while it is shared, all of them; left out, the list stays.
    #[serde(default, deserialize_with = "not_null")]
    pub shared_with: Option<SharedWith>,
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Brings an earlier version of a memory back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreMemory {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// The version whose text, tags, category and expiration date come back, as memory_history lists it.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Deletes a memory for good.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteMemory {
    /// The memory's id.
    pub memory_id: MemoryId,
    /// Sent again with the same key within 24 hours, the call gets the same answer and happens once.
    #[serde(default, deserialize_with = "not_null")]
    pub idempotency_key: Option<IdempotencyKey>,
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
}
