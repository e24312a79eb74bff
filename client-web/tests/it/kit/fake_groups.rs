//! The groups of the fake server.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fake_server::{Memo, Shared, bearer, troubled};

/// The place of a group that the person is in.
fn place(memo: &Memo, person: Uuid, id: Uuid) -> Option<usize> {
    let is_in = |group: &Value| {
        group["owner_id"] == json!(person) || group["members"].as_array().is_some_and(|list| list.contains(&json!(person)))
    };
    memo.groups.iter().position(|group| group["id"] == json!(id) && is_in(group))
}

/// Does something with a group of whoever asks.
fn with_group(memo: &Shared, headers: &HeaderMap, id: Uuid, act: impl FnOnce(&mut Value) -> Response) -> Response {
    let mut memo = memo.lock().expect("a lock");
    let Some(person) = bearer(&memo, headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match place(&memo, person, id) {
        Some(place) => act(&mut memo.groups[place]),
        None => (StatusCode::NOT_FOUND, Json(json!({"code": "not_found"}))).into_response(),
    }
}

pub(super) async fn list(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(response) = troubled(&memo, "/api/groups").await {
        return response;
    }
    let memo = memo.lock().expect("a lock");
    match bearer(&memo, &headers) {
        Some(_) => Json(json!({"groups": memo.groups, "next_cursor": null})).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

pub(super) async fn create(State(memo): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/groups").await {
        return response;
    }
    let mut memo = memo.lock().expect("a lock");
    let Some(person) = bearer(&memo, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if body["name"] == "" {
        let errors = json!([{"field": "name", "message": "must have 1 to 100 characters"}]);
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"code": "invalid", "errors": errors}))).into_response();
    }
    let group = json!({"id": Uuid::new_v4(), "name": body["name"], "owner_id": person, "members": []});
    memo.groups.push(group.clone());
    (StatusCode::CREATED, Json(group)).into_response()
}

pub(super) async fn show(State(memo): State<Shared>, headers: HeaderMap, Path(id): Path<Uuid>) -> Response {
    with_group(&memo, &headers, id, |group| Json(group.clone()).into_response())
}

pub(super) async fn rename(
    State(memo): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    Json(body): Json<Value>,
) -> Response {
    with_group(&memo, &headers, id, |group| {
        if body["name"].as_str().is_some_and(|name| name.contains('\n') || name.is_empty()) {
            let errors = json!([{"field": "name", "message": "must be one line"}]);
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"code": "invalid", "errors": errors}))).into_response();
        }
        group["name"] = body["name"].clone();
        Json(group.clone()).into_response()
    })
}

pub(super) async fn delete(State(memo): State<Shared>, headers: HeaderMap, Path(id): Path<Uuid>) -> Response {
    let answer = with_group(&memo, &headers, id, |_| StatusCode::NO_CONTENT.into_response());
    if answer.status().is_success() {
        memo.lock().expect("a lock").groups.retain(|group| group["id"] != json!(id));
    }
    answer
}

pub(super) async fn add(State(memo): State<Shared>, headers: HeaderMap, Path((id, person)): Path<(Uuid, Uuid)>) -> Response {
    with_group(&memo, &headers, id, |group| {
        group["members"].as_array_mut().expect("a list").push(json!(person));
        StatusCode::NO_CONTENT.into_response()
    })
}

pub(super) async fn remove(State(memo): State<Shared>, headers: HeaderMap, Path((id, person)): Path<(Uuid, Uuid)>) -> Response {
    with_group(&memo, &headers, id, |group| {
        group["members"].as_array_mut().expect("a list").retain(|member| *member != json!(person));
        StatusCode::NO_CONTENT.into_response()
    })
}
