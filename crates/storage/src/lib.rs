//! The server's only SQL. Text is encrypted on the way in and decrypted on the way out; the filter that
//! decides what a reader may see is part of every statement that reads memories ([`memories`]).
//!
//! It must not know who is allowed what: it is told the [`picard_domain::Reach`]. One function is one
//! statement or one transaction, and no transaction waits for a network call.
//!
//! Start with [`Store`], then `memories/read.rs`.

pub mod accounts;
pub mod analytics;
pub mod audit;
pub mod authorization;
pub mod backup;
pub mod changes;
pub mod clients;
pub mod codes;
pub mod connections;
mod deployment_keys;
pub mod embedding_jobs;
mod error;
mod finished_embeddings;
pub mod grants;
pub mod groups;
pub mod imports;
pub mod inspection;
pub mod key_rotation;
mod known_keys;
pub mod limits;
pub mod mcp_sessions;
pub mod memories;
mod missing_embeddings;
mod once;
pub mod people;
pub mod personas;
mod pool;
pub mod profiles;
mod public_index;
mod purge;
pub mod questions;
mod replica;
mod search_index;
pub mod sessions;
pub mod signing_keys;
pub mod statistics;
mod store;

pub use error::storage_error;
pub use search_index::CurrentIndex;
pub use store::{DatabaseSettings, MIGRATOR, Store};
