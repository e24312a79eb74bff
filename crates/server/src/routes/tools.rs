//! The REST door to the catalogue of tools.

use axum::Json;
use axum::extract::{Extension, FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use picard_domain::{Caller, Error};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bearer::ApiError;
use crate::body::StrictJson;
use crate::state::AppState;

/// A call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCall {
    tool: String,
    data: Value,
}

/// Calls a tool. Its data and its answer are described per tool in the schema.
#[utoipa::path(post, path = "/api/tools", tag = "tools", operation_id = "call_tool", security(("bearer" = [])), responses(
    (status = 200, description = "The tool's answer"), (status = 400, description = "The body is not JSON"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks a scope, or the memory is somebody else's"),
    (status = 404, description = "No such tool, or nothing that the caller may see"), (status = 412, description = "The memory has another version"),
    (status = 413, description = "The body is too large"), (status = 415, description = "The body is not JSON by its type"),
    (status = 422, description = "Something is wrong with the data"), (status = 503, description = "The database or the embeddings are away")))]
pub(crate) async fn call_tool(State(state): State<AppState>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    // Without this a client that tries again would store a second memory and never know.
    if request.headers().contains_key("idempotency-key") {
        let error = Error::invalid("Idempotency-Key", "is not supported by this version: leave the header out");
        return ApiError(error, state.app.public_url().to_owned()).into_response();
    }
    let call = match StrictJson::<ToolCall>::from_request(request, &state).await {
        Ok(StrictJson(call)) => call,
        Err(problem) => return problem.into_response(),
    };
    match run(&state, &caller, call).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => ApiError(error, state.app.public_url().to_owned()).into_response(),
    }
}

async fn run(state: &AppState, caller: &Caller, call: ToolCall) -> Result<Value, Error> {
    let answer = state.app.call_tool(caller, &call.tool, call.data).await?;
    Ok(json!({ "tool": call.tool, "data": answer }))
}
