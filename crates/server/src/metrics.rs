//! Figures for Prometheus, on a listener of their own: they are for the operator, not for the internet.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use picard_app::App;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The text format of Prometheus, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the figures until the token is cancelled. A port that is taken, perhaps by another server on this machine,
/// is no reason not to start.
pub(crate) async fn serve(app: App, address: SocketAddr, stop: CancellationToken) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, cause = %error, "Metrics are not served: choose another METRICS_ADDR, or off.");
            return;
        }
    };
    let router = Router::new().route("/metrics", get(metrics)).with_state(app);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::warn!(cause = %error, "Metrics are not served any more.");
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let health = app.health().await;
    let mut text = String::new();
    gauge(&mut text, "picard_database_up", "Whether the database answers.", i64::from(health.is_database_up));
    gauge(&mut text, "picard_embedding_up", "Whether the last embeddings could be made.", i64::from(health.is_embedding_up));
    if let Some(backlog) = health.embedding_backlog {
        gauge(&mut text, "picard_embedding_backlog", "Memories that wait for their embedding.", backlog);
    }
    let spent = app.spent_tokens();
    if !spent.is_empty() {
        text +=
            "# HELP picard_llm_tokens_total Tokens of prompts and answers of personas.\n# TYPE picard_llm_tokens_total counter\n";
    }
    for (model, input, output) in spent {
        let model = label(&model);
        text += &format!("picard_llm_tokens_total{{model=\"{model}\",direction=\"input\"}} {input}\n");
        text += &format!("picard_llm_tokens_total{{model=\"{model}\",direction=\"output\"}} {output}\n");
    }
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}

/// A name as the text format quotes it.
fn label(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn gauge(text: &mut String, name: &str, help: &str, value: i64) {
    *text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
}
