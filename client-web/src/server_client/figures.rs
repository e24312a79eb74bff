//! What the server says about acts, applications and figures.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Something that somebody did.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) happened_at: OffsetDateTime,
    /// What kind of act it was.
    pub(crate) event: String,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) client_id: Option<String>,
    #[serde(default)]
    details: Value,
}

impl Event {
    /// The memories that it was done with.
    pub(crate) fn memories(&self) -> Vec<Uuid> {
        let ids = self.details["memory_ids"].as_array().into_iter().flatten();
        ids.filter_map(|id| id.as_str()?.parse().ok()).collect()
    }

    /// The way in: `rest`, `mcp` or `command_line`; empty where it is not known.
    pub(crate) fn door(&self) -> &str {
        self.details["door"].as_str().unwrap_or_default()
    }

    /// What memories were read for: `get`, `list`, `search` or `persona`.
    pub(crate) fn operation(&self) -> &str {
        self.details["operation"].as_str().unwrap_or_default()
    }
}

/// A page of acts, the latest first.
#[derive(Debug, Deserialize)]
pub(crate) struct ActivityPage {
    pub(crate) events: Vec<Event>,
    pub(crate) next_cursor: Option<String>,
}

/// An application that the person granted something.
#[derive(Debug, Deserialize)]
pub(crate) struct Application {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
}

/// All of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Connections {
    pub(crate) connections: Vec<Application>,
}

/// How many memories there are, by who may see them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) total: i64,
    pub(crate) private: i64,
    pub(crate) shared: i64,
    pub(crate) public: i64,
    pub(crate) aggregate: i64,
    pub(crate) expired: i64,
}

/// How many memories were written in a month.
#[derive(Debug, Deserialize)]
pub(crate) struct MonthCount {
    pub(crate) month: String,
    pub(crate) count: i64,
}

/// How many memories have a tag.
#[derive(Debug, Deserialize)]
pub(crate) struct TagCount {
    pub(crate) tag: String,
    pub(crate) count: i64,
}

/// How many memories are of a category.
#[derive(Debug, Deserialize)]
pub(crate) struct CategoryCount {
    pub(crate) category: String,
    pub(crate) count: i64,
}

/// A person's memories in figures, the most used words and the latest month first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    pub(crate) memories: Counts,
    pub(crate) months: Vec<MonthCount>,
    pub(crate) tags: Vec<TagCount>,
    pub(crate) categories: Vec<CategoryCount>,
}
