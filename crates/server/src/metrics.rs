//! Figures for Prometheus, on a listener of their own: they are for the operator, not for the internet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use picard_app::{App, Counted};
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::tasks::Trouble;

/// Upper bounds of the classes of durations, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What the doors count themselves; the application's own counts are read when somebody asks.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    token_requests: IntCounterVec,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new() -> Arc<Self> {
        let registry = Registry::new();
        let durations = HistogramOpts::new("picard_http_request_duration_seconds", "How long answers took to begin.");
        let durations = HistogramVec::new(durations.buckets(BUCKETS.to_vec()), &["method", "route"]).expect("a valid name");
        let metrics = Self {
            requests: counter("picard_http_requests_total", "Requests that were answered.", &["method", "route", "status"]),
            durations,
            token_requests: counter("picard_token_requests_total", "Requests for tokens.", &["grant_type", "outcome"]),
            registry,
        };
        register(&metrics.registry, metrics.requests.clone());
        register(&metrics.registry, metrics.durations.clone());
        register(&metrics.registry, metrics.token_requests.clone());
        register(&metrics.registry, ProcessCollector::for_self());
        Arc::new(metrics)
    }

    /// Counts an answer. The route is one of the router's, so there are never many.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // Methods that nobody knows would make a series each.
        let is_known = *method == Method::GET || *method == Method::POST || *method == Method::PUT || *method == Method::DELETE;
        let method = if is_known || *method == Method::PATCH { method.as_str() } else { "other" };
        self.requests.with_label_values(&[method, route, status.as_str()]).inc();
        self.durations.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    /// Counts a request for tokens: what kind of grant, and `issued` or the code of the refusal.
    pub(crate) fn token_request(&self, grant_type: &str, outcome: &str) {
        self.token_requests.with_label_values(&[grant_type, outcome]).inc();
    }
}

/// Serves the figures until the token is cancelled. A port that is taken, perhaps by another server on this machine,
/// is no reason not to start.
pub(crate) async fn serve(app: App, metrics: Arc<Metrics>, trouble: Trouble, address: SocketAddr, stop: CancellationToken) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, cause = %error, "Metrics are not served: choose another METRICS_ADDR, or off.");
            return;
        }
    };
    let router = Router::new().route("/metrics", get(show)).with_state((app, metrics, trouble));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::warn!(cause = %error, "Metrics are not served any more.");
    }
}

async fn show(State((app, metrics, trouble)): State<(App, Arc<Metrics>, Trouble)>) -> Response {
    let registry = Registry::new();
    gauges(&app, &trouble, &registry).await;
    counts(&app, &registry);
    let families = [metrics.registry.gather(), registry.gather()].concat();
    match TextEncoder::new().encode_to_string(&families) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(cause = %error, "Metrics cannot be written.");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is so at this moment.
async fn gauges(app: &App, trouble: &Trouble, registry: &Registry) {
    let gauge = |name: &str, help: &str, value: i64| gauge(registry, name, help, &[], &[(&[], value)]);
    let health = app.health().await;
    gauge("picard_database_up", "Whether the database answers.", i64::from(health.is_database_up));
    gauge("picard_embedding_up", "Whether the last embeddings could be made.", i64::from(health.is_embedding_up));
    if let Some(backlog) = health.embedding_backlog {
        gauge("picard_embedding_backlog", "Memories that wait for their embedding.", backlog);
    }
    gauge("picard_background_tasks_up", "Whether no background task has crashed lately.", i64::from(!trouble.is_there()));
    let (people, bytes) = app.held_indexes();
    gauge("picard_search_memory_people", "People whose searches are answered from memory.", number(people));
    gauge("picard_search_memory_bytes", "What that takes.", number(bytes));
    let (open, idle) = app.database_connections();
    let states: [(&[&str], i64); 2] = [(&["idle"], number(idle)), (&["busy"], number(open.saturating_sub(idle)))];
    self::gauge(registry, "picard_database_connections", "Open connections to the database.", &["state"], &states);
    self::gauge(registry, "picard_build_info", "The version.", &["version"], &[(&[env!("CARGO_PKG_VERSION")], 1)]);
}

/// What has happened since the server began.
fn counts(app: &App, registry: &Registry) {
    let tools = counter("picard_tool_calls_total", "Calls of tools, over REST and MCP.", &["tool", "outcome"]);
    let searches = counter("picard_searches_total", "Searches by the mode that answered them.", &["mode"]);
    let vectors = counter("picard_query_vectors_total", "Queries that became vectors, remembered or made.", &["outcome"]);
    let texts = counter("picard_embeddings_total", "Texts that the worker has taken.", &["outcome"]);
    for count in app.counts() {
        match count.counted {
            Counted::ToolCalls => tools.with_label_values(&[count.name, count.outcome]),
            Counted::Searches => searches.with_label_values(&[count.name]),
            Counted::QueryVectors => vectors.with_label_values(&[count.outcome]),
            Counted::Embeddings => texts.with_label_values(&[count.outcome]),
        }
        .inc_by(count.count);
    }
    let spent = counter("picard_llm_tokens_total", "Tokens of prompts and answers of personas.", &["model", "direction"]);
    for (model, input, output) in app.spent_tokens() {
        spent.with_label_values(&[model.as_str(), "input"]).inc_by(input);
        spent.with_label_values(&[model.as_str(), "output"]).inc_by(output);
    }
    for counter in [tools, searches, vectors, texts, spent] {
        register(registry, counter);
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("a valid name")
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str], values: &[(&[&str], i64)]) {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels).expect("a valid name");
    for (of, value) in values {
        gauge.with_label_values(of).set(*value);
    }
    register(registry, gauge);
}

fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect("names are used once");
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
