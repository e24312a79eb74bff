//! Moving memories in and out, at any size.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt as _;
use picard_app::{ExportFormat, ImportFormat, ImportId};
use picard_domain::commands::OnError;
use picard_domain::{Caller, Error};
use serde::Deserialize;
use serde_json::json;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::bearer::ApiError;
use crate::error::Problem;
use crate::idempotency::IdempotencyKey;
use crate::state::AppState;

fn refused(state: &AppState, error: Error) -> Response {
    ApiError(error, state.app.public_url().to_owned()).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    on_error: Option<OnErrorWord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnErrorWord {
    Stop,
    Continue,
}

/// Takes memories in: the body is read to its end and checked, the memories are stored afterwards.
///
/// Besides memories of Picard's own it reads `conversations.json` of ChatGPT and Claude and the knowledge graph of the
/// reference memory server.
#[utoipa::path(post, path = "/api/memories/import", tag = "memories", operation_id = "import_memories", security(("bearer" = ["memories:write"])),
    params(("on_error" = Option<String>, Query, description = "continue (what is left out if nothing is said) or stop: a wrong row means that nothing is stored"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same body sent again within 24 hours gives the same import back")),
    request_body(content((String = "application/x-ndjson", example = "{\"text\": \"I like my tea.\"}\n"), (String = "text/csv", example = "text,tags\r\nI like my tea.,\"[\"\"tea\"\"]\"\r\n"), (Value = "application/json", example = json!([{"text": "I like my tea."}])))), responses(
    (status = 202, description = "It was taken in", body = Value, example = json!({"import_id": "…"})), (status = 401, description = "No valid access token"),
    (status = 403, description = "The token lacks the scope"), (status = 415, description = "A body of another type"), (status = 422, description = "A wrong parameter, or the upload ended early")))]
pub(crate) async fn import_memories(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Response {
    let query: ImportQuery = match serde_urlencoded::from_str(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(_) => return refused(&state, Error::invalid("on_error", "must be stop or continue, and nothing else may be given")),
    };
    let Some(format) = format(request.headers()) else {
        let detail = "The body must be application/x-ndjson, text/csv or application/json, in UTF-8 and not compressed.";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into_response();
    };
    let on_error = if matches!(query.on_error, Some(OnErrorWord::Stop)) { OnError::Stop } else { OnError::Continue };
    let stream = request.into_body().into_data_stream().map_err(std::io::Error::other);
    // The rows are cut on a thread of their own, which waits for the body.
    let source = SyncIoBridge::new(StreamReader::new(Box::pin(stream)));
    match state.app.receive_import(&caller, format, on_error, Box::new(source), key.as_deref()).await {
        Ok(id) => {
            let location = HeaderValue::from_str(&format!("/api/imports/{}", id.0)).expect("an id stands in a header");
            (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(json!({ "import_id": id.0 }))).into_response()
        }
        Err(error) => refused(&state, error),
    }
}

fn format(headers: &HeaderMap) -> Option<ImportFormat> {
    // Not compressed, and UTF-8.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return None;
    }
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parameters = kind.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
    let is_foreign = |(name, value): (&str, &str)| {
        let value = value.trim_matches('"');
        name.eq_ignore_ascii_case("charset") && !["utf-8", "utf8"].iter().any(|utf8| value.eq_ignore_ascii_case(utf8))
    };
    if parameters.any(is_foreign) {
        return None;
    }
    match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(ImportFormat::Ndjson)
        }
        "text/csv" => Some(ImportFormat::Csv),
        "application/json" => Some(ImportFormat::Json),
        _ => None,
    }
}

/// Tells how an import of the caller's stands.
#[utoipa::path(get, path = "/api/imports/{import_id}", tag = "memories", operation_id = "get_import", security(("bearer" = ["memories:read"])),
    params(("import_id" = String, Path, description = "The import")), responses(
    (status = 200, description = "How it stands: queued, running, done or failed", body = Value, example = json!({"import_id": "…", "status": "done", "total": 3, "done": 2, "skipped": 0, "failed": 1,
        "errors": [{"row": 2, "field": "text", "message": "is missing"}], "created_at": "2026-01-01T00:00:00.000000+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 404, description = "No such import")))]
pub(crate) async fn get_import(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(import_id): Path<String>,
) -> Response {
    // Only the canonical form is an id, as everywhere.
    let id = uuid::Uuid::try_parse(&import_id).ok().filter(|id| id.as_hyphenated().to_string() == import_id);
    let found = match id {
        Some(id) => state.app.import(&caller, ImportId(id)).await,
        None => Err(Error::NotFound),
    };
    match found.and_then(|import| serde_json::to_value(import).map_err(Error::internal)) {
        Ok(mut answer) => {
            answer["import_id"] = import_id.into();
            Json(answer).into_response()
        }
        Err(error) => refused(&state, error),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    format: Option<FormatWord>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormatWord {
    Ndjson,
    Csv,
    Markdown,
}

/// Gives out everything that the caller owns, expired memories too.
#[utoipa::path(get, path = "/api/memories/export", tag = "memories", operation_id = "export_memories", security(("bearer" = ["memories:read"])),
    params(("format" = Option<String>, Query, description = "ndjson (what is given if nothing is said), csv or markdown")), responses(
    (status = 200, description = "The memories, the earliest first", content((String = "application/x-ndjson"), (String = "text/csv"), (String = "text/markdown"))),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "Another format")))]
pub(crate) async fn export_memories(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let query: ExportQuery = match serde_urlencoded::from_str(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(_) => {
            return refused(&state, Error::invalid("format", "must be ndjson, csv or markdown, and nothing else may be given"));
        }
    };
    let (format, kind, name) = match query.format.unwrap_or(FormatWord::Ndjson) {
        FormatWord::Ndjson => (ExportFormat::Ndjson, "application/x-ndjson", "memories.ndjson"),
        FormatWord::Csv => (ExportFormat::Csv, "text/csv; charset=utf-8", "memories.csv"),
        FormatWord::Markdown => (ExportFormat::Markdown, "text/markdown; charset=utf-8", "memories.md"),
    };
    match state.app.export_memories(&caller, format) {
        Ok(stream) => {
            let cause = |error: Error| {
                tracing::warn!(cause = %error, "An export was cut off.");
                error
            };
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
                (
                    header::CONTENT_DISPOSITION,
                    HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).expect("a plain name"),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (headers, Body::from_stream(stream.map_err(cause))).into_response()
        }
        Err(error) => refused(&state, error),
    }
}
