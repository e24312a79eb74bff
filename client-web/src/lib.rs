//! The web application of Picard: accounts of its own, a connection to a Picard server, and the pages of a
//! person's memories. It shows how an application integrates with the server.
//!
//! It reaches the server only over HTTP and must not know how the server stores, searches or authorizes
//! anything. It has a database of its own; nothing of a token ever reaches a browser or a log.
//!
//! Start reading at `running` (what a running application consists of), then `router` (every path), then
//! `pages`. `tokens` keeps the connection alive; `visitor` and `form` decide who may do what.

mod accounts;
mod address;
mod administration;
mod assets;
mod authorization;
mod clock;
pub mod command;
mod config;
mod connecting;
mod db;
mod diff;
mod env_file;
mod error;
mod error_pages;
mod form;
mod frame;
mod headers;
mod housekeeping;
mod limits;
mod logging;
mod markdown;
mod moments;
mod pages;
mod preferences;
mod registration;
mod request_log;
mod router;
mod running;
mod server_client;
mod session_store;
mod state;
mod stranger;
mod tasks;
mod tokens;
mod vault;
mod visitor;
mod words;

pub use authorization::CALLBACK;
pub use config::{Config, ConfigProblems, Environment, LogFormat};
pub use db::MIGRATOR;
pub use registration::{RegisterClient, RegisterError, Registration, register_client};
pub use running::{RunningWeb, StartError, migrate, start};
