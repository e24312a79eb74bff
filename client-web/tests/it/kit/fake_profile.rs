//! The one profile of the fake server.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::fake_server::{Shared, bearer, troubled};

pub(super) async fn show(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me") {
        return response;
    }
    let memo = memo.lock().expect("a lock");
    let nobody = json!({"display_name": null, "bio": null, "is_listed": false});
    let mut profile = if memo.profile.is_null() { nobody } else { memo.profile.clone() };
    profile["id"] = json!(bearer(&memo, &headers));
    Json(profile).into_response()
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
