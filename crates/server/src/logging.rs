//! Log lines: one JSON object or one line of text on standard error.

use tracing::Level;
use tracing_opentelemetry::layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::LogFormat;
use crate::traces::Traces;

/// Libraries that write what people sent into their log lines, and the most that they may say whatever `RUST_LOG` asks for
/// (OPS-02). The longest name that fits counts.
const DISCREET: [(&str, Level); 2] = [("rmcp", Level::WARN), ("rmcp::service", Level::ERROR)];

/// Installs the process's logger; does nothing when there is one already.
pub fn init(format: LogFormat, filter: &str) {
    init_with(format, filter, None);
}

/// The same, and what is logged goes into traces, too.
pub(crate) fn init_with(format: LogFormat, filter: &str, traces: Option<&Traces>) {
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let discreet = Targets::new().with_default(Level::TRACE).with_targets(DISCREET);
    // What cannot be logged is not worth a stop: complaining about it would go to the same full disk, and end the program.
    let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(std::io::stderr).log_internal_errors(false);
    // Where in the source a line stands and on which thread it was written is nobody's business elsewhere.
    let installed = match format {
        LogFormat::Json => {
            let spans = traces.map(|traces| layer().with_tracer(traces.tracer()).with_location(false).with_threads(false));
            lines.json().flatten_event(true).with_span_list(false).finish().with(filter).with(discreet).with(spans).try_init()
        }
        LogFormat::Text => {
            let spans = traces.map(|traces| layer().with_tracer(traces.tracer()).with_location(false).with_threads(false));
            lines.finish().with(filter).with(discreet).with(spans).try_init()
        }
    };
    if installed.is_err() {
        tracing::debug!("There is a logger already.");
    }
}
