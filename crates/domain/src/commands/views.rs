//! Answers that are more than a memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClientId, Memory, MemoryId, Permission, Timestamp};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What became of one memory of a batch: it, or why it was not stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum BatchResult {
    /// It was stored.
    Stored {
        /// Its place in the call, from 0.
        index: u32,
        /// The memory.
        memory: Box<Memory>,
    },
    /// It was not.
    Refused {
        /// Its place in the call, from 0.
        index: u32,
        /// What is wrong with it.
        error: BatchError,
    },
}

/// Why a memory of a batch was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct BatchError {
    /// A stable word.
    pub code: String,
    /// The same for people.
    pub detail: String,
    /// What is wrong with which member.
    pub errors: Vec<BatchFieldError>,
}

/// One wrong member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct BatchFieldError {
    /// The member's path.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchSummary {
    /// One result a memory, in the order of the call.
    pub results: Vec<BatchResult>,
    /// How many were stored.
    pub created: u32,
    /// How many were not.
    pub failed: u32,
}

/// A memory as it was at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Version {
    /// Counts the changes, from 1.
    pub version: i64,
    /// What it said.
    pub text: String,
    /// Who could see it.
    pub permission: Permission,
    /// When it became so.
    pub changed_at: Timestamp,
    /// The client that made it so; null where that is not known.
    pub client_id: Option<ClientId>,
}

/// One page of versions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<Version>,
    /// Give it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// Statistics over what people let be counted. A figure that rests on too few people is null or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Aggregate {
    /// How many people contributed.
    pub contributors: Option<i64>,
    /// How many memories were counted.
    pub memories: Option<i64>,
    /// The same by tag, the most frequent first.
    pub by_tag: Vec<TagFigure>,
    /// The same by month of writing, the earliest first.
    pub by_month: Vec<MonthFigure>,
}

/// What is known of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct TagFigure {
    /// The tag.
    pub tag: String,
    /// How many people.
    pub contributors: i64,
    /// How many memories.
    pub memories: i64,
}

/// What is known of one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct MonthFigure {
    /// The month, for example `2026-01` (UTC).
    pub month: String,
    /// How many people.
    pub contributors: i64,
    /// How many memories.
    pub memories: i64,
}

/// The most characters of a text that become its heading.
const MOST_HEADING: usize = 120;

/// The first line of a text that says something, cut at 120 characters. What cannot be seen is left out: it could hide instructions, or turn the
/// rest of a menu around (WEB-02).
#[must_use]
pub fn heading(text: &str) -> String {
    let plain = |line: &str| line.chars().filter(|character| !is_hidden(*character)).collect::<String>().trim().to_owned();
    let line = text.lines().map(plain).find(|line| !line.is_empty()).unwrap_or_else(|| "Untitled".to_owned());
    match line.char_indices().nth(MOST_HEADING) {
        Some((end, _)) if !line.ends_with('…') => format!("{}…", &line[..end]),
        _ => line,
    }
}

/// Control, direction, tag and other characters without a picture; joiners stay, which scripts and emoji need.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_the_first_line_that_says_something() {
        assert_eq!(heading("\n  \n # Tea \nEarl Grey"), "# Tea");
        assert_eq!(heading(" \n "), "Untitled");
        assert_eq!(heading("\u{202e}\u{7}\nTea\u{e0041}\u{200b} \u{202d}hot"), "Tea hot");
        assert_eq!(heading("👩\u{200d}🚀"), "👩\u{200d}🚀", "a joiner joins");
        assert_eq!(heading(&"ä".repeat(120)), "ä".repeat(120));
        assert_eq!(heading(&"ä".repeat(121)), format!("{}…", "ä".repeat(120)));
        assert_eq!(heading(&format!("{}…", "ä".repeat(120))), format!("{}…", "ä".repeat(120)), "a summary is cut already");
    }
}
