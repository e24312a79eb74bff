//! Pages of results.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::{MemoryId, Timestamp};

/// How many results a page has: 1 to `MOST`, and `DEFAULT` when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<const DEFAULT: u32, const MOST: u32>(u32);

impl<const DEFAULT: u32, const MOST: u32> Limit<DEFAULT, MOST> {
    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MOST: u32> Default for Limit<DEFAULT, MOST> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u32, const MOST: u32> Deserialize<'de> for Limit<DEFAULT, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused = || D::Error::custom(format!("must be a whole number from 1 to {MOST}"));
        let number = u32::deserialize(deserializer).map_err(|_| refused())?;
        if (1..=MOST).contains(&number) { Ok(Self(number)) } else { Err(refused()) }
    }
}

impl<const DEFAULT: u32, const MOST: u32> JsonSchema for Limit<DEFAULT, MOST> {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT })
    }
}

/// The page size of lists.
pub type ListLimit = Limit<50, 200>;
/// How many memories an answer rests on at most.
pub type AnswerLimit = Limit<10, 50>;
/// The page size of searches.
pub type SearchLimit = Limit<10, 100>;

/// The place in a sorted list after which the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last row's sort value; `None` where the row has none (those come last).
    pub moment: Option<Timestamp>,
    /// The last row's id, which breaks ties.
    pub id: MemoryId,
}

/// What a list sorts by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Sort {
    /// When the memory was written.
    #[default]
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// When it expires; memories without an expiration date come last.
    ExpirationDate,
}

/// The direction of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Order {
    /// Earliest first.
    Asc,
    /// Latest first.
    #[default]
    Desc,
}

/// Whether expired memories are wanted. Only owners ever get them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ExpirationStatus {
    /// Only those that have not expired.
    #[default]
    Active,
    /// Only expired ones.
    Expired,
    /// Both.
    All,
}
