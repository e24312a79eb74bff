//! The HTTP door and the plug board: configuration, router, REST, OAuth endpoints, documents, command line.
//!
//! Doors only translate: a handler turns a request into a command, calls one method of `App`, and turns the
//! answer or the error into a response. It must not know SQL, check a permission or validate a value.
//!
//! Start with [`start`], then `router.rs` for what is where, and `routes/tools.rs` for a request's journey.

mod address;
mod backup;
mod bearer;
mod body;
mod bridge;
mod check;
pub mod command;
mod config;
mod crowd;
mod deadline;
mod documents;
mod drain;
mod error;
mod healthy;
mod idempotency;
mod import;
mod llm;
pub mod logging;
mod maintenance;
mod metrics;
mod oauth_error;
mod openapi;
mod pages;
mod probe;
mod request;
mod router;
mod routes;
mod running;
mod state;
mod tasks;
mod traces;

pub use config::{Config, DynamicRegistration, Environment, LogFormat, McpModeName};
pub use llm::llm;
pub use openapi::document as openapi_document;
pub use picard_app::{AdministratorOutcome, NewAdministrator};
pub use picard_embedding::Embedder;
pub use picard_llm::Llm;
pub use probe::{Probe, probe};
pub use running::{
    RunningServer, StartError, create_admin, embedder, migrate, move_client, rotate_signing_key, start, start_with,
};
