//! Text to vector: by any OpenAI-compatible endpoint ([`OpenAiCompatible`]) or on this machine ([`LocalModel`]).
//!
//! It knows nothing of memories, people, permissions or storage: texts go in, vectors of length one
//! come out, in the same order, or an [`EmbedError`] that says whether to try again.
//! Neither a key nor a text ever appears in an error or a log line.
//!
//! Start at [`Embedder`], then `openai.rs` (the client) or `local.rs` (the model and its thread).

mod embedder;
mod local;
mod openai;

pub use embedder::{EmbedError, Embedder};
pub use local::{LoadError, LocalModel};
pub use openai::{OpenAiCompatible, OpenAiSettings, SettingsError};
