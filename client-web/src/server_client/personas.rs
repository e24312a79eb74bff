//! What the server says about personas: who they are, what they answer, what they were asked.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A persona. The instructions are given to its owner alone.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Persona {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) instructions: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    pub(crate) model: Option<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_n: u32,
    pub(crate) is_public: bool,
    /// As the server writes it: it is only compared.
    #[serde(default)]
    pub(crate) updated_at: String,
}

/// Some personas, the newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct PersonaPage {
    pub(crate) personas: Vec<Persona>,
    pub(crate) next_cursor: Option<String>,
}

/// What a persona answered.
#[derive(Debug, Deserialize)]
pub(crate) struct PersonaAnswer {
    pub(crate) response: String,
    /// `llm` or `extractive`.
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) memories: Vec<UsedMemory>,
    #[serde(default)]
    pub(crate) citations: Vec<Citation>,
    #[serde(default)]
    pub(crate) abstained: bool,
    #[serde(default)]
    pub(crate) is_truncated: bool,
}

/// A memory that an answer rests on.
#[derive(Debug, Deserialize)]
pub(crate) struct UsedMemory {
    pub(crate) id: Uuid,
    #[serde(default)]
    pub(crate) text: String,
}

/// A part of the answer and what it rests on.
#[derive(Debug, Deserialize)]
pub(crate) struct Citation {
    /// Where the part ends, in characters.
    pub(crate) end: usize,
    pub(crate) memory_ids: Vec<Uuid>,
}

/// Somebody who asked.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Asker {
    pub(crate) id: Uuid,
    #[serde(default)]
    pub(crate) username: Option<String>,
}

/// A question to one of the person's personas.
#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    #[serde(default)]
    pub(crate) persona_id: Option<Uuid>,
    pub(crate) asker: Asker,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) asked_at: OffsetDateTime,
    /// `None` where the deployment keeps no questions.
    #[serde(default)]
    pub(crate) question: Option<String>,
    #[serde(default)]
    memories: Vec<Value>,
}

impl Question {
    /// The memories that the answer rested on, the first five.
    pub(crate) fn memories(&self) -> Vec<Uuid> {
        self.memories.iter().filter_map(|id| id.as_str()?.parse().ok()).take(5).collect()
    }
}

/// Some questions, the latest first.
#[derive(Debug, Deserialize)]
pub(crate) struct QuestionPage {
    pub(crate) questions: Vec<Question>,
    pub(crate) next_cursor: Option<String>,
}

/// Who is not answered.
#[derive(Debug, Deserialize)]
pub(crate) struct Blocks {
    pub(crate) blocked: Vec<Asker>,
}
