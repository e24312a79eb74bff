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

/// How long the database may take to answer before the application is not ready.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);

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
    let ping = tokio::time::timeout(DATABASE_PATIENCE, db::ping(&state.pool));
    let (database, has_server) = tokio::join!(ping, state.probe.is_healthy(&state.server));
    let (has_database, are_tasks_well) = (matches!(database, Ok(Ok(()))), !state.trouble.is_there());
    let word = |is_fine: bool| if is_fine { "ok" } else { "unavailable" };
    let is_registered = if state.client.is_some() { "ok" } else { "missing" };
    let (status, overall) = match (has_database, has_server && state.client.is_some() && are_tasks_well) {
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let mut checks = json!({ "database": word(has_database), "server": word(has_server), "client": is_registered });
    if !are_tasks_well {
        checks["tasks"] = word(false).into();
    }
    (status, Json(json!({ "status": overall, "checks": checks }))).into_response()
}

/// `GET /health/liveness`: 200 while the process runs; asks nobody else.
pub(crate) async fn liveness() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /health/readiness`: 200 while the application may get traffic, which it may no more once it was told to stop.
pub(crate) async fn readiness(State(state): State<AppState>) -> Response {
    let database = tokio::time::timeout(DATABASE_PATIENCE, db::ping(&state.pool)).await;
    if !state.leaving.is_cancelled() && matches!(database, Ok(Ok(()))) {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" }))).into_response()
    }
}
