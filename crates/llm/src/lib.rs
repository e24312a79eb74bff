//! From a conversation to its answer, streamed: by any model behind an OpenAI-compatible endpoint, or, without one, by
//! quoting what fits best.
//!
//! What is handed in as a source is data, never instruction: no tool is given to the model, and all it can do is write
//! text, which comes out clean and with its citations checked. Start with [`Llm`], then `prompt.rs` for what is sent
//! and `citations.rs` for what comes back.

mod boundary;
mod citations;
mod clean;
mod extractive;
mod openai;
mod prompt;
mod tokens;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use clean::cleaned;
pub use extractive::Extractive;
pub use openai::{OpenAiCompatible, OpenAiSettings, SettingsError};
pub use tokens::estimate;

/// The most characters of an answer.
pub const MAX_ANSWER: usize = 16_000;

/// Answers conversations.
#[async_trait]
pub trait Llm: Send + Sync {
    /// The model that answers when none is asked for; `extractive` where there is none.
    fn model(&self) -> &str;

    /// The models that may be asked for, the default first; empty where there is none.
    fn models(&self) -> &[String];

    /// How it is at the moment.
    fn condition(&self) -> Condition;

    /// The most tokens that the sources of one conversation may have together, by [`estimate`].
    fn budget(&self) -> usize;

    /// Begins to answer: returns with the first piece at hand. Dropping the stream ends the work on it.
    ///
    /// # Errors
    /// When there is no answer at all; one that breaks off ends the stream with an error.
    async fn answer(&self, conversation: Conversation) -> Result<AnswerStream, LlmError>;
}

/// Whether answers can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// There is no model.
    Extractive,
    /// As far as is known, it answers.
    Well,
    /// It has failed several times in a row.
    Failing,
}

/// The pieces of an answer; the last is [`Piece::Done`].
pub type AnswerStream = BoxStream<'static, Result<Piece, LlmError>>;

/// What is asked, of whom, and what they know of it.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// The name of who answers; may be empty.
    pub persona: String,
    /// What its owner says about how it speaks; may be empty.
    pub instructions: String,
    /// What it knows, best first. Cited by position.
    pub sources: Vec<Source>,
    /// What was said before, oldest first.
    pub turns: Vec<Turn>,
    /// The question.
    pub question: String,
    /// What the owner chose.
    pub options: Options,
}

/// Something that the answer may rest on.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Its text.
    pub text: String,
    /// The day of its last change, `2026-01-31`: the newest wins where sources contradict each other.
    pub date: String,
}

/// Something that was said before.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who said it.
    pub speaker: Speaker,
    /// What was said.
    pub text: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The person who asks.
    Asker,
    /// The persona.
    Persona,
}

/// What can be chosen for an answer.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// One of [`Llm::models`]; others are not passed on.
    pub model: Option<String>,
    /// From 0 to 2.
    pub temperature: Option<f32>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// The next part of its text. Joined, the parts are the answer: clean, without marks of citations.
    Text(String),
    /// It is complete.
    Done(Answered),
}

/// What is known of an answer when it is complete.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answered {
    /// What rests on what.
    pub citations: Vec<Citation>,
    /// Who wrote it.
    pub model: String,
    /// What it cost.
    pub usage: Usage,
    /// Whether it was cut because it was too long.
    pub is_truncated: bool,
}

/// A sentence that rests on sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// Where it begins in the whole answer, in Unicode scalar values.
    pub start: usize,
    /// Where it ends; not included.
    pub end: usize,
    /// The sources by their position, from 0, each once.
    pub sources: Vec<usize>,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Those of the prompt.
    pub input: u32,
    /// Those of the answer.
    pub output: u32,
    /// Whether they are an estimate, because the endpoint did not count.
    pub is_estimate: bool,
}

/// Why there is no answer. Never contains a key or a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The same question may be answered later.
    #[error("the model is not available: {reason}")]
    Unavailable {
        /// How long to wait at least, when it is known.
        retry_after: Option<Duration>,
        /// What happened, for the log.
        reason: String,
    },
    /// What came back is no answer.
    #[error("the model gave an invalid answer: {0}")]
    InvalidAnswer(String),
    /// The endpoint does not take the request: trying again changes nothing.
    #[error("the model rejected the request: {0}")]
    Rejected(String),
}

impl LlmError {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { retry_after: None, reason: reason.into() }
    }
}
