//! Imports and exports of the fake server.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::fake_server::{Shared, bearer, troubled};

pub(super) async fn import(
    State(memo): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> Response {
    if let Some(response) = troubled(&memo, "/api/memories/import").await {
        return response;
    }
    let mut memo = memo.lock().expect("a lock");
    if bearer(&memo, &headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let id = Uuid::new_v4();
    let kind = headers["content-type"].to_str().expect("a kind");
    memo.imports.push(json!({"id": id, "kind": kind, "on_error": query.get("on_error"), "body": body}));
    (StatusCode::ACCEPTED, Json(json!({"import_id": id}))).into_response()
}

pub(super) async fn progress(State(memo): State<Shared>, Path(id): Path<Uuid>) -> Response {
    if memo.lock().expect("a lock").imports.iter().all(|import| import["id"] != json!(id)) {
        return (StatusCode::NOT_FOUND, Json(json!({"code": "not_found"}))).into_response();
    }
    let errors = json!([{"row": 2, "field": "text", "message": "must not be <empty>"}]);
    Json(json!({"import_id": id, "status": "running", "total": 3, "done": 1, "skipped": 0, "failed": 1, "errors": errors}))
        .into_response()
}

pub(super) async fn export(
    State(memo): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Some(response) = troubled(&memo, "/api/memories/export").await {
        return response;
    }
    match bearer(&memo.lock().expect("a lock"), &headers) {
        Some(_) => format!("everything as {}", query["format"]).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
