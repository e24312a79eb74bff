//! The log: lines on standard output, as JSON or for a terminal.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Starts logging for the whole process. A second call is ignored: the launcher has set the log up by then.
pub(crate) fn start(format: LogFormat, filter: &str) {
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    // A log on a full disk must not end the program, as complaining about it there would.
    let builder = tracing_subscriber::fmt().with_max_level(Level::TRACE).log_internal_errors(false);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).finish().with(filter).try_init(),
        LogFormat::Text => builder.finish().with(filter).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log is set up already");
    }
}
