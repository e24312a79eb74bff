//! What the server says about people and groups.

use serde::Deserialize;
use uuid::Uuid;

/// Somebody in the directory.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DirectoryEntry {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) display_name: Option<String>,
    /// Those that the reader may ask.
    #[serde(default)]
    pub(crate) personas: Vec<ListedPersona>,
}

/// A persona of somebody in the directory.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedPersona {
    pub(crate) id: Uuid,
    pub(crate) name: String,
}

/// A page of the directory.
#[derive(Debug, Deserialize)]
pub(crate) struct Directory {
    pub(crate) users: Vec<DirectoryEntry>,
    #[serde(default)]
    pub(crate) next_cursor: Option<String>,
}

/// A group that the person owns or is in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) owner_id: Uuid,
    /// Who is in it besides the owner.
    pub(crate) members: Vec<Uuid>,
}

/// A page of groups.
#[derive(Debug, Deserialize)]
pub(crate) struct GroupPage {
    pub(crate) groups: Vec<Group>,
}

/// What the server keeps of the person.
#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) display_name: Option<String>,
    pub(crate) bio: Option<String>,
    pub(crate) is_listed: bool,
}
