//! What the server says about memories.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// One memory.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Memory {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) text: String,
    pub(crate) permission: Permission,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Only given to the owner.
    #[serde(default)]
    pub(crate) shared_with: Option<SharedWith>,
    #[serde(default)]
    pub(crate) category: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) expiration_date: Option<OffsetDateTime>,
    #[serde(default)]
    pub(crate) is_expired: bool,
    pub(crate) version: i64,
    #[serde(default)]
    pub(crate) embedding_status: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated_at: OffsetDateTime,
}

/// The people and groups who may see a memory while it is shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedWith {
    pub(crate) users: Vec<Uuid>,
    pub(crate) groups: Vec<Uuid>,
}

/// Who may see a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Permission {
    Private,
    Public,
    Shared,
    Aggregate,
}

impl Permission {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Shared => "shared",
            Self::Aggregate => "aggregate",
        }
    }
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct MemoryPage {
    pub(crate) memories: Vec<Memory>,
    pub(crate) next_cursor: Option<String>,
    #[serde(default)]
    pub(crate) total: Option<i64>,
}

/// A memory that a search found.
#[derive(Debug, Deserialize)]
pub(crate) struct Hit {
    #[serde(flatten)]
    pub(crate) memory: Memory,
    /// 0 to 1, higher is nearer.
    pub(crate) score: f64,
    /// Cosine of the meanings; none where only words were compared.
    #[serde(default)]
    pub(crate) similarity: Option<f64>,
}

/// What a search found, nearest first.
#[derive(Debug, Deserialize)]
pub(crate) struct SearchHits {
    /// How many there are, those included that are not given.
    #[serde(default)]
    pub(crate) total_found: i64,
    pub(crate) memories: Vec<Hit>,
}

/// A memory as it was at one version.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: i64,
    pub(crate) text: String,
    pub(crate) permission: Permission,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) changed_at: OffsetDateTime,
}

/// Some versions of a memory, the newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct VersionPage {
    pub(crate) versions: Vec<Version>,
    pub(crate) next_cursor: Option<String>,
}
