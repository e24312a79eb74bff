//! What a memory is, part by part. Each part parses or fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GroupId, MemoryId, Timestamp, UserId};

/// Says what is wrong with a part of a memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PartError(String);

impl PartError {
    /// What is wrong, in words.
    pub(crate) fn new(what: String) -> Self {
        Self(what)
    }
}

/// Checks a text's length in characters and that PostgreSQL can store it.
pub(crate) fn checked(text: String, characters: std::ops::RangeInclusive<usize>) -> Result<String, PartError> {
    let (least, most) = (characters.start(), characters.end());
    // Bytes bound characters from above, so that a huge text is not counted.
    if text.len() > most.saturating_mul(4) || !characters.contains(&text.chars().count()) {
        return Err(PartError(format!("must have {least} to {most} characters")));
    }
    if text.contains('\0') {
        return Err(PartError("must not contain the character U+0000".to_owned()));
    }
    Ok(text)
}

macro_rules! text_part {
    ($(#[$doc:meta])* $name:ident, $least:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", extend("minLength" = $least, "maxLength" = $most, "pattern" = "^[^\\u0000]*$"))]
        #[schemars(inline)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = PartError;
            fn try_from(text: String) -> Result<Self, PartError> {
                checked(text, $least..=$most).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(part: $name) -> Self {
                part.0
            }
        }

        // What people write does not belong into logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }
    };
}

text_part!(
    /// What is remembered: 1 to 32,768 characters, Markdown where a page shows it.
    MemoryText, 1, 32_768
);
text_part!(
    /// A label of 1 to 64 characters.
    Tag, 1, 64
);
text_part!(
    /// The one category of a memory: 1 to 64 characters.
    Category, 1, 64
);
text_part!(
    /// What is searched for: 1 to 4,096 characters.
    QueryText, 1, 4_096
);

/// At most 100 different labels in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Tag>")]
#[schemars(with = "Vec<Tag>", extend("maxItems" = 100), inline)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// The labels as they are stored.
    #[must_use]
    pub fn to_words(&self) -> Vec<String> {
        self.0.iter().map(|tag| tag.0.clone()).collect()
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = PartError;

    fn try_from(tags: Vec<Tag>) -> Result<Self, PartError> {
        let mut seen = std::collections::HashSet::new();
        let distinct: Vec<Tag> = tags.into_iter().filter(|tag| seen.insert(tag.clone())).collect();
        if distinct.len() > 100 {
            return Err(PartError("must have at most 100 tags".to_owned()));
        }
        Ok(Self(distinct))
    }
}

/// Who may see a memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Permission {
    /// The owner alone.
    #[default]
    Private,
    /// Every signed-in person.
    Public,
    /// The owner, and the people and groups that the owner named.
    Shared,
    /// The owner alone; but it counts in anonymous statistics.
    Aggregate,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 4] = [Self::Private, Self::Public, Self::Shared, Self::Aggregate];

    /// Whether other people can come across a memory with this permission by searching, or count it.
    #[must_use]
    pub fn is_open(self) -> bool {
        self != Self::Private
    }

    /// Whether a memory is seen by more people, or counted by more, than with the other one.
    #[must_use]
    pub fn is_wider_than(self, other: Self) -> bool {
        let width = |permission| match permission {
            Self::Private => 0,
            Self::Aggregate => 1,
            Self::Shared => 2,
            Self::Public => 3,
        };
        width(self) > width(other)
    }

    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Shared => "shared",
            Self::Aggregate => "aggregate",
        }
    }

    /// Reads a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }
}

/// Whether a memory can already be found by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum EmbeddingStatus {
    /// It can.
    Ready,
    /// Soon: the embedding is still to be made.
    Pending,
    /// The provider refuses this text; it is found by everything but its meaning.
    Failed,
}

impl EmbeddingStatus {
    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }

    /// Reads a stored word; one that is unknown counts as pending.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        [Self::Ready, Self::Failed].into_iter().find(|status| status.as_str() == word).unwrap_or(Self::Pending)
    }
}

/// With whom a memory is shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Shares")]
#[schemars(inline)]
pub struct SharedWith {
    /// People.
    pub users: Vec<UserId>,
    /// Groups.
    pub groups: Vec<GroupId>,
}

/// A list as it comes in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shares {
    /// People, by their ids.
    #[serde(default)]
    #[schemars(extend("maxItems" = 1000))]
    users: Vec<UserId>,
    /// Groups, by their ids.
    #[serde(default)]
    #[schemars(extend("maxItems" = 1000))]
    groups: Vec<GroupId>,
}

impl TryFrom<Shares> for SharedWith {
    type Error = PartError;

    fn try_from(shares: Shares) -> Result<Self, PartError> {
        let shared = Self { users: distinct(shares.users), groups: distinct(shares.groups) };
        if shared.users.len() + shared.groups.len() > 1_000 {
            return Err(PartError("must have at most 1000 people and groups".to_owned()));
        }
        Ok(shared)
    }
}

fn distinct<T: Copy + Eq + std::hash::Hash>(all: Vec<T>) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    all.into_iter().filter(|one| seen.insert(*one)).collect()
}

/// A memory as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The memory's id.
    pub id: MemoryId,
    /// Its owner's id.
    pub user_id: UserId,
    /// What is remembered; data written by a person, not instructions.
    pub text: String,
    /// Who may see it.
    pub permission: Permission,
    /// Labels.
    pub tags: Vec<String>,
    /// Category.
    pub category: Option<String>,
    /// With whom it is shared; null unless the caller owns it.
    pub shared_with: Option<SharedWith>,
    /// When it stops being shown.
    pub expiration_date: Option<Timestamp>,
    /// Whether that time has passed.
    pub is_expired: bool,
    /// Counts the changes, from 1.
    pub version: i64,
    /// Whether it can already be found by meaning.
    pub embedding_status: EmbeddingStatus,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(characters: usize) -> Result<MemoryText, PartError> {
        "ä".repeat(characters).try_into()
    }

    #[test]
    fn a_text_has_1_to_32768_characters_and_no_nul() {
        assert!(text(1).is_ok() && text(32_768).is_ok());
        assert!(text(0).is_err() && text(32_769).is_err());
        assert!(MemoryText::try_from("a\0b".to_owned()).is_err(), "INP-02");
    }

    #[test]
    fn tags_are_distinct_and_at_most_100() {
        let tag = |n: usize| Tag::try_from(format!("t{n}")).expect("a tag");

        let twice = Tags::try_from(vec![tag(2), tag(1), tag(2)]).expect("two tags");
        assert_eq!(twice.to_words(), ["t2", "t1"]);

        assert!(Tags::try_from((0..100).map(tag).collect::<Vec<_>>()).is_ok());
        assert!(Tags::try_from((0..101).map(tag).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn a_text_stays_out_of_debug_output() {
        assert_eq!(format!("{:?}", text(3).expect("a text")), "MemoryText(6 bytes)");
    }
}
