//! Groups of people: one owner, and members whom the owner chooses.

use serde::{Deserialize, Serialize};

use crate::{GroupId, Timestamp, UserId};

/// The most members of a group.
pub const MOST_MEMBERS: usize = 1_000;
/// The most groups of one owner.
pub const MOST_GROUPS: usize = 1_000;

/// What a group is called: 1 to 100 characters on one line, without white space around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(String);

/// Says what a group's name must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 100 characters on one line, without white space around them")]
pub struct GroupNameError;

impl GroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for GroupName {
    type Error = GroupNameError;

    fn try_from(name: String) -> Result<Self, GroupNameError> {
        let is_plain = name.trim() == name && !name.contains(char::is_control);
        if is_plain && (1..=100).contains(&name.chars().count()) { Ok(Self(name)) } else { Err(GroupNameError) }
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.0
    }
}

/// A group as its owner and its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group.
    pub id: GroupId,
    /// What it is called.
    pub name: String,
    /// Who decides about it.
    pub owner_id: UserId,
    /// Who is in it besides the owner, in the order in which they came.
    pub members: Vec<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Group {
    /// Whether this person owns it, is in it, or has nothing to do with it.
    #[must_use]
    pub fn part_of(&self, person: UserId) -> Option<GroupPart> {
        if self.owner_id == person { Some(GroupPart::Owner) } else { self.members.contains(&person).then_some(GroupPart::Member) }
    }
}

/// What somebody is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupPart {
    /// Decides about it.
    Owner,
    /// Sees it.
    Member,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_line() {
        for good in ["Family", "Søndagsklubben 🎻", &"x".repeat(100)] {
            assert!(GroupName::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", " Family", "a\nb", "a\0b", &"x".repeat(101)] {
            assert!(GroupName::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
