//! Personas: somebody's memories, or some of them, and how they answer questions.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::memory::{PartError, Tag, checked};
use crate::{PersonaId, Timestamp, UserId};

/// The most personas of one person.
pub const MOST_PERSONAS: usize = 100;
/// The most tags by which a persona chooses memories.
const MOST_TAGS: usize = 20;

macro_rules! persona_text {
    ($(#[$doc:meta])* $name:ident, $least:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", extend("minLength" = $least, "maxLength" = $most), inline)]
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
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

persona_text!(
    /// What a persona is called: 1 to 100 characters.
    PersonaName, 1, 100
);
persona_text!(
    /// What others read of a persona before they ask: up to 1,000 characters.
    PersonaDescription, 0, 1_000
);
persona_text!(
    /// How a persona speaks, for the model: up to 4,000 characters. Nobody but its owner sees them.
    PersonaInstructions, 0, 4_000
);

/// The tags by which a persona chooses memories: at most 20; none means all memories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Tag>")]
#[schemars(with = "Vec<Tag>", extend("maxItems" = 20), inline)]
pub struct PersonaTags(Vec<Tag>);

impl PersonaTags {
    /// The tags.
    #[must_use]
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }

    /// The tags as they are stored.
    #[must_use]
    pub fn to_words(&self) -> Vec<String> {
        self.0.iter().map(|tag| tag.as_str().to_owned()).collect()
    }
}

impl TryFrom<Vec<Tag>> for PersonaTags {
    type Error = PartError;

    fn try_from(tags: Vec<Tag>) -> Result<Self, PartError> {
        let mut seen = std::collections::HashSet::new();
        let distinct: Vec<Tag> = tags.into_iter().filter(|tag| seen.insert(tag.clone())).collect();
        if distinct.len() > MOST_TAGS {
            return Err(PartError::new(format!("must have at most {MOST_TAGS} tags")));
        }
        Ok(Self(distinct))
    }
}

/// How freely a model speaks: 0 to 2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Temperature(f32);

impl Temperature {
    /// The number.
    #[must_use]
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Temperature {
    type Error = PartError;

    fn try_from(number: f32) -> Result<Self, PartError> {
        if (0.0..=2.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(PartError::new("must be a number from 0 to 2".to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Temperature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f32::deserialize(deserializer).map_err(|_| D::Error::custom("must be a number from 0 to 2"))?;
        Self::try_from(number).map_err(D::Error::custom)
    }
}

impl JsonSchema for Temperature {
    fn schema_name() -> Cow<'static, str> {
        "Temperature".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 2 })
    }
}

/// A persona. Its instructions are its owner's alone: to others they are empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Persona {
    /// The persona.
    pub id: PersonaId,
    /// Whose memories it answers from.
    pub user_id: UserId,
    /// What it is called.
    pub name: PersonaName,
    /// What others read of it before they ask.
    pub description: PersonaDescription,
    /// How it speaks; empty for everybody but its owner.
    pub instructions: PersonaInstructions,
    /// It answers from memories that have one of these tags; from all if there is none.
    pub tags: PersonaTags,
    /// The model that answers; null: the deployment's.
    pub model: Option<String>,
    /// How freely the model speaks, 0 to 2; null: as the model does by itself.
    pub temperature: Option<Temperature>,
    /// How many memories an answer rests on at most.
    pub top_n: u32,
    /// Whether others may ask it.
    pub is_public: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
