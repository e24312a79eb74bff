//! The OpenAI-compatible client against a provider that misbehaves, and the local model against what is known of it.

mod local;
mod measure;
mod openai;
mod provider;
