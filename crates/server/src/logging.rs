//! Log lines: one JSON object or one line of text on standard error.

use tracing_subscriber::EnvFilter;

use crate::LogFormat;

/// Installs the process's logger; does nothing when there is one already.
pub fn init(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.try_init(),
    };
    if installed.is_err() {
        tracing::debug!("There is a logger already.");
    }
}
