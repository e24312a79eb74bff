//! The REST door to the catalogue of tools.

use axum::Json;
use axum::extract::{Extension, FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use picard_app::CallOptions;
use picard_domain::{Caller, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::bearer::ApiError;
use crate::body::StrictJson;
use crate::idempotency::IdempotencyKey;
use crate::routes::answers;
use crate::state::AppState;

/// A call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCall {
    tool: String,
    data: Value,
}

/// The answer of a call.
#[derive(Serialize)]
struct ToolAnswer {
    tool: String,
    data: Box<RawValue>,
}

/// Calls a tool. Its data and its answer are described per tool in the schema.
#[utoipa::path(post, path = "/api/tools", tag = "tools", operation_id = "call_tool", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a call that changes something count once: sent again within 24 hours it gets the same answer")), responses(
    (status = 200, description = "The tool's answer"), (status = 400, description = "The body is not JSON"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks a scope, or the memory is somebody else's"),
    (status = 404, description = "No such tool, or nothing that the caller may see"), (status = 412, description = "The memory has another version"),
    (status = 413, description = "The body is too large"), (status = 415, description = "The body is not JSON by its type"),
    (status = 422, description = "Something is wrong with the data, or the idempotency key was used for another call"), (status = 503, description = "The database or the embeddings are away")))]
pub(crate) async fn call_tool(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Response {
    let call = match StrictJson::<ToolCall>::from_request(request, &state).await {
        Ok(StrictJson(call)) => call,
        Err(problem) => return problem.into_response(),
    };
    let call = match streaming(call) {
        Ok((call, false)) => call,
        Ok((call, true)) => return answers::stream(state, caller, call.data).await,
        Err(error) => return ApiError(error, state.app.public_url().to_owned()).into_response(),
    };
    match run(&state, &caller, call, key.as_deref()).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => ApiError(error, state.app.public_url().to_owned()).into_response(),
    }
}

/// Takes the wish for a stream out of a question; no other tool knows it.
fn streaming(mut call: ToolCall) -> Result<(ToolCall, bool), Error> {
    let wish = if call.tool == answers::TOOL { call.data.as_object_mut().and_then(|data| data.remove("stream")) } else { None };
    match wish {
        None => Ok((call, false)),
        Some(Value::Bool(wish)) => Ok((call, wish)),
        Some(_) => Err(Error::invalid("stream", "must be true or false")),
    }
}

async fn run(state: &AppState, caller: &Caller, call: ToolCall, key: Option<&str>) -> Result<ToolAnswer, Error> {
    let data = state.app.call_tool(caller, &call.tool, call.data, CallOptions { key, ..CallOptions::default() }).await?;
    Ok(ToolAnswer { tool: call.tool, data })
}
