//! The log of both programs, on standard error.

use std::io::{IsTerminal as _, stderr};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Environment;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,rmcp=warn,rmcp::service=error,sqlx=warn,tower_sessions=error,tower_sessions_core=off";

/// Starts the log: text on a terminal, JSON elsewhere, or what `LOG_FORMAT` says.
pub(super) fn start(environment: &Environment) {
    let filter = environment.get("RUST_LOG").unwrap_or(DEFAULT_FILTER);
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let is_text = environment.get("LOG_FORMAT").map_or_else(|| stderr().is_terminal(), |format| format == "text");
    let builder = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(stderr).log_internal_errors(false);
    let started = if is_text {
        builder.with_ansi(stderr().is_terminal()).finish().with(filter).try_init()
    } else {
        builder.json().flatten_event(true).with_span_list(false).finish().with(filter).try_init()
    };
    if let Err(error) = started {
        eprintln!("picard: the log was started before: {error}");
    }
}
