//! The log: lines on standard output, as JSON or for a terminal.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging for the whole process. A second call is ignored: the launcher has set the log up by then.
pub(crate) fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log is set up already");
    }
}
