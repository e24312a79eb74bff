//! One memory of an import.

use picard_domain::memory::{Category, SharedWith, Tags};
use picard_domain::{MemoryText, Permission, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// One memory of an import; members that are not named here are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportMemory {
    /// The id that it had where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub id: Option<String>,
    /// What is remembered.
    pub text: MemoryText,
    /// Who may see it.
    #[serde(default, deserialize_with = "or_default")]
    pub permission: Permission,
    /// Labels.
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Tags,
    /// Category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// When it stops being shown; may have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<Timestamp>,
    /// The people and groups who may see it while it is shared.
    #[serde(default, deserialize_with = "or_default")]
    pub shared_with: SharedWith,
    /// When it was written; now if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// Null says nothing.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Elsewhere ids are numbers, or objects: what is no text is no id of ours.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}
