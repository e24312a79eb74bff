//! The one profile of the fake server.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::fake_server::{Shared, troubled};

pub(super) async fn show(State(memo): State<Shared>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me") {
        return response;
    }
    let profile = memo.lock().expect("a lock").profile.clone();
    let nobody = json!({"display_name": null, "bio": null, "is_listed": false});
    Json(if profile.is_null() { nobody } else { profile }).into_response()
}

pub(super) async fn change(State(memo): State<Shared>, Json(body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me") {
        return response;
    }
    memo.lock().expect("a lock").profile = body.clone();
    Json(body).into_response()
}

pub(super) async fn delete(State(memo): State<Shared>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me") {
        return response;
    }
    memo.lock().expect("a lock").deletions += 1;
    StatusCode::NO_CONTENT.into_response()
}
