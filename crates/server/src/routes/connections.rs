//! The clients that a person is connected to.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use picard_domain::{Caller, Error};
use serde_json::{Value, json};

use crate::bearer::ApiError;
use crate::state::AppState;

/// Lists the clients that the caller has given something that still holds; the last used one first.
#[utoipa::path(get, path = "/api/connections", tag = "connections", operation_id = "list_connections", security(("bearer" = ["memories:read"])), responses(
    (status = 200, description = "The connections", body = Value, example = json!({"connections": [{"client_id": "…", "client_name": "My application", "metadata_url": null,
        "scopes": ["memories:read"], "created_at": "2026-01-01T00:00:00+00:00", "last_used_at": "2026-01-02T00:00:00+00:00"}]})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope")))]
pub(crate) async fn list(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    match state.app.connections(&caller).await {
        Ok(connections) => {
            let connections: Vec<Value> = connections
                .iter()
                .map(|connection| {
                    json!({
                        "client_id": connection.client_id,
                        "client_name": connection.client_name,
                        "metadata_url": connection.metadata_url,
                        "scopes": connection.scopes.to_words(),
                        "created_at": connection.created_at,
                        "last_used_at": connection.last_used_at,
                    })
                })
                .collect();
            Json(json!({ "connections": connections })).into_response()
        }
        Err(error) => ApiError(error, state.app.public_url().to_owned()).into_response(),
    }
}

/// Ends every token of the client for the caller, at once.
#[utoipa::path(delete, path = "/api/connections/{client_id}", tag = "connections", operation_id = "end_connection",
    security(("bearer" = ["memories:write"])), params(("client_id" = String, Path, description = "The client")), responses(
    (status = 204, description = "None of its tokens holds any more"), (status = 401, description = "No valid access token"),
    (status = 403, description = "The token lacks the scope"), (status = 404, description = "No such connection")))]
pub(crate) async fn end(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(client_id): Path<String>,
) -> Response {
    let ended = match client_id.parse() {
        Ok(client_id) => state.app.disconnect(&caller, client_id).await,
        Err(_) => Err(Error::NotFound),
    };
    match ended {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError(error, state.app.public_url().to_owned()).into_response(),
    }
}
