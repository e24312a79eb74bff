//! The one profile of the fake server.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::fake_server::{Shared, bearer, troubled};

pub(super) async fn show(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me").await {
        return response;
    }
    let memo = memo.lock().expect("a lock");
    let nobody = json!({"display_name": null, "bio": null, "is_listed": false});
    let mut profile = if memo.profile.is_null() { nobody } else { memo.profile.clone() };
    profile["id"] = json!(bearer(&memo, &headers));
    Json(profile).into_response()
}

pub(super) async fn change(State(memo): State<Shared>, Json(body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me").await {
        return response;
    }
    memo.lock().expect("a lock").profile = body.clone();
    Json(body).into_response()
}

pub(super) async fn delete(State(memo): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users/me").await {
        return response;
    }
    let mut memo = memo.lock().expect("a lock");
    let may_write = bearer(&memo, &headers).is_some_and(|person| memo.scopes[&person].contains("memories:write"));
    if !may_write {
        return (StatusCode::FORBIDDEN, Json(json!({"code": "insufficient_scope"}))).into_response();
    }
    if !memo.profile["password"].is_null() && memo.profile["password"] != body["password"] {
        let wrong = json!({"field": "password", "message": "is not the password of this account"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"code": "invalid", "errors": [wrong]}))).into_response();
    }
    memo.deletions += 1;
    StatusCode::NO_CONTENT.into_response()
}
