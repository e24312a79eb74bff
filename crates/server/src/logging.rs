//! Log lines: one JSON object or one line of text on standard error.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::LogFormat;

/// Installs the process's logger; does nothing when there is one already.
pub fn init(format: LogFormat, filter: &str) {
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).finish().with(filter).try_init(),
        LogFormat::Text => lines.finish().with(filter).try_init(),
    };
    if installed.is_err() {
        tracing::debug!("There is a logger already.");
    }
}
