//! Health endpoints and the page at the root.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use picard_app::Condition;

use crate::state::AppState;

/// What this is and where to go on.
#[utoipa::path(get, path = "/", tag = "health", operation_id = "index", responses(
    (status = 200, description = "Name, version and links", body = Value, example = json!({"name": "Picard", "version": "0.1.0", "docs": "…/docs",
        "openapi": "…/openapi.json", "mcp": "…/mcp", "health": "…/health"}))))]
pub(crate) async fn index(State(state): State<AppState>) -> Json<Value> {
    let url = state.app.public_url();
    let mut links = json!({
        "name": "Picard",
        "version": env!("CARGO_PKG_VERSION"),
        "mcp": format!("{url}/mcp"),
        "health": format!("{url}/health"),
        "authorization_server": format!("{url}/.well-known/oauth-authorization-server"),
        "protected_resource": format!("{url}/.well-known/oauth-protected-resource"),
    });
    if state.openapi.is_some() {
        links["docs"] = format!("{url}/docs").into();
        links["openapi"] = format!("{url}/openapi.json").into();
    }
    Json(links)
}

/// How everything is: `ok`, or `degraded` while embeddings wait or the model does not answer; 503 while the database is away.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "health", responses(
    (status = 200, description = "The server works", body = Value, example = json!({
        "status": "ok", "checks": {"database": "ok", "embedding": "ok", "llm": "not_configured", "embedding_backlog": 0}})),
    (status = 503, description = "The database is away")))]
pub(crate) async fn health(State(state): State<AppState>) -> Response {
    let health = state.app.health().await;
    let word = |is_up: bool| if is_up { "ok" } else { "unavailable" };
    let are_tasks_well = !state.trouble.is_there();
    let all_well = health.is_database_up && health.is_embedding_up && health.llm != Condition::Failing && are_tasks_well;
    let mut body = json!({
        "status": if all_well { "ok" } else { "degraded" },
        "checks": {
            "database": word(health.is_database_up),
            "embedding": word(health.is_embedding_up),
            "llm": match health.llm {
                Condition::Extractive => "not_configured",
                Condition::Well => "ok",
                Condition::Failing => "unavailable",
            },
            "embedding_backlog": health.embedding_backlog,
        },
    });
    if !are_tasks_well {
        body["checks"]["tasks"] = word(false).into();
    }
    let status = if health.is_database_up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// 200 while the process runs; asks nobody else.
#[utoipa::path(get, path = "/health/liveness", tag = "health", operation_id = "liveness", responses((status = 200, description = "The process runs", body = Value, example = json!({"status": "ok"}))))]
pub(crate) async fn liveness() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// 200 while the server may get traffic.
#[utoipa::path(get, path = "/health/readiness", tag = "health", operation_id = "readiness", responses(
    (status = 200, description = "The server may get traffic", body = Value, example = json!({"status": "ok"})), (status = 503, description = "Not now")))]
pub(crate) async fn readiness(State(state): State<AppState>) -> Response {
    if !state.leaving.is_cancelled() && state.app.is_ready().await {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" }))).into_response()
    }
}
