//! The log of both programs, on standard error.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use crate::environment::Environment;

/// What is logged unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,rmcp=warn,rmcp::service=error,sqlx=warn,tower_sessions=error,tower_sessions_core=off";

/// Starts the log: text on a terminal, JSON elsewhere, or what `LOG_FORMAT` says.
pub(super) fn start(environment: &Environment) {
    let filter = environment.get("RUST_LOG").unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let is_text = environment.get("LOG_FORMAT").map_or_else(|| stderr().is_terminal(), |format| format == "text");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = if is_text {
        builder.with_ansi(stderr().is_terminal()).try_init()
    } else {
        builder.json().flatten_event(true).with_span_list(false).try_init()
    };
    if let Err(error) = started {
        eprintln!("picard: the log was started before: {error}");
    }
}
