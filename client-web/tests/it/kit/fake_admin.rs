//! The administration of the fake server: one administrator, `admin` with the password `correct`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fake_server::{CLIENT_ID, Shared, troubled};

/// Whether the request has the administrator's name and password.
pub(super) fn is_administrator(headers: &HeaderMap) -> bool {
    // `admin:correct`
    headers.get("authorization").is_some_and(|value| value == "Basic YWRtaW46Y29ycmVjdA==")
}

fn refused() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"code": "invalid_token"}))).into_response()
}

fn told(headers: &HeaderMap, answer: Value) -> Response {
    if is_administrator(headers) { Json(answer).into_response() } else { refused() }
}

pub(super) async fn stats(headers: HeaderMap) -> Response {
    told(&headers, json!({"users": 41, "active_users": 40, "superusers": 1, "memories": 1234}))
}

pub(super) async fn users(headers: HeaderMap) -> Response {
    let user = json!({
        "id": Uuid::nil(), "username": "grace <b>", "email": "grace@example.org", "is_active": true, "is_superuser": false,
        "created_at": "2026-01-01T00:00:00.000000+00:00",
    });
    told(&headers, json!({"users": [user], "next_cursor": "more & more"}))
}

pub(super) async fn clients(headers: HeaderMap) -> Response {
    let client = |id: &str, name: &str| {
        json!({
            "client_id": id, "client_name": name, "redirect_uris": ["https://e.example/cb"], "scopes": ["memories:read"],
            "is_confidential": true,
        })
    };
    let (ours, other) = (client(CLIENT_ID, "Picard web"), client("00000000-0000-0000-0000-00000000000e", "My <b>editor</b>"));
    told(&headers, json!({"clients": [ours, other], "next_cursor": null}))
}

/// The one client that was registered.
pub(super) async fn client(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    let client = memo.lock().expect("a lock").client.clone();
    if is_administrator(&headers) && client.is_null() { StatusCode::NOT_FOUND.into_response() } else { told(&headers, client) }
}

pub(super) async fn update(State(memo): State<Shared>, headers: HeaderMap, Json(mut body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/admin").await {
        return response;
    }
    if !is_administrator(&headers) {
        return refused();
    }
    body["client_id"] = json!(CLIENT_ID);
    memo.lock().expect("a lock").client = body.clone();
    Json(body).into_response()
}

pub(super) async fn change(State(memo): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(response) = troubled(&memo, "/api/admin").await {
        return response;
    }
    if !is_administrator(&headers) {
        return refused();
    }
    memo.lock().expect("a lock").administered.push(format!("{method} {}", uri.path()));
    if method == Method::DELETE { StatusCode::NO_CONTENT.into_response() } else { Json(json!({})).into_response() }
}

pub(super) async fn secret(headers: HeaderMap) -> Response {
    told(&headers, json!({"client_id": CLIENT_ID, "client_secret": "a-new-secret-shown-once"}))
}
