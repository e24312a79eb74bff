//! Whether the application works, for load balancers and people in charge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tokio::sync::Mutex;

use crate::db;
use crate::server_client::ServerClient;
use crate::state::AppState;

/// How long a look at the server is good for: asking here must not mean asking there.
const GOOD_FOR: Duration = Duration::from_secs(3);

/// Remembers whether the server answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerProbe(Arc<Mutex<Option<(Instant, bool)>>>);

impl ServerProbe {
    async fn is_healthy(&self, server: &ServerClient) -> bool {
        let mut last = self.0.lock().await;
        match *last {
            Some((at, is_healthy)) if at.elapsed() < GOOD_FOR => is_healthy,
            _ => {
                let is_healthy = server.is_healthy().await;
                *last = Some((Instant::now(), is_healthy));
                is_healthy
            }
        }
    }
}

/// `GET /health`: `503` only without the database; without the server, people can still sign in.
pub(crate) async fn show(State(state): State<AppState>) -> Response {
    let (database, has_server) = tokio::join!(db::ping(&state.pool), state.probe.is_healthy(&state.server));
    let word = |is_fine: bool| if is_fine { "ok" } else { "unavailable" };
    let is_registered = if state.client.is_some() { "ok" } else { "missing" };
    let (status, overall) = match (database.is_ok(), has_server && state.client.is_some()) {
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let checks = json!({ "database": word(database.is_ok()), "server": word(has_server), "client": is_registered });
    (status, Json(json!({ "status": overall, "checks": checks }))).into_response()
}
