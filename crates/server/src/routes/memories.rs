//! Reading memories as resources of their own, with entity tags.

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::arguments;
use picard_domain::commands::{GetMemories, GetMemory};
use picard_domain::{Caller, Error};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bearer::ApiError;
use crate::state::AppState;

/// Reads one memory that the caller may see.
#[utoipa::path(get, path = "/api/memories/{memory_id}", tag = "memories", operation_id = "read_memory", security(("bearer" = ["memories:read"])),
    params(("memory_id" = String, Path, description = "The memory"), ("If-None-Match" = Option<String>, Header, description = "The ETag of what one has")), responses(
    (status = 200, description = "The memory, with an ETag", body = Value, example = json!({"id": "…", "user_id": "…", "text": "I like my tea, Earl Grey, hot.", "permission": "private",
        "tags": ["tea"], "category": null, "shared_with": {"users": [], "groups": []}, "expiration_date": null, "is_expired": false, "version": 1, "embedding_status": "ready",
        "created_at": "2026-01-01T00:00:00.000000+00:00", "updated_at": "2026-01-01T00:00:00.000000+00:00"})),
    (status = 304, description = "It is still the same"), (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 404, description = "Nothing that the caller may see")))]
pub(crate) async fn read_memory(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(memory_id): Path<String>,
) -> Response {
    let memory = match memory_id.parse() {
        Ok(memory_id) => state.app.get_memory(&caller, GetMemory { memory_id }).await,
        Err(_) => Err(Error::NotFound),
    };
    answer(&state, &headers, memory)
}

/// Lists memories of one person as far as the caller may see them: `get_memories`, with its data as query parameters.
#[utoipa::path(get, path = "/api/memories", tag = "memories", operation_id = "list_memories", security(("bearer" = ["memories:read"])), params(
    ("user_id" = Option<String>, Query, description = "Whose memories; the caller's if left out"), ("permission" = Option<String>, Query, description = "Only with this permission"),
    ("expiration_status" = Option<String>, Query, description = "active, expired or all"), ("tags" = Option<Vec<String>>, Query, description = "Only with all of these; repeat the parameter"),
    ("category" = Option<String>, Query, description = "Only of this category"), ("created_after" = Option<String>, Query, description = "Only written at or after this time"),
    ("created_before" = Option<String>, Query, description = "Only written before this time"), ("sort" = Option<String>, Query, description = "created_at, updated_at or expiration_date"),
    ("order" = Option<String>, Query, description = "asc or desc"), ("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"),
    ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"), ("If-None-Match" = Option<String>, Header, description = "The ETag of what one has")), responses(
    (status = 200, description = "A page of memories, with an ETag", body = Value, example = json!({"memories": [], "next_cursor": null, "total": 0})),
    (status = 304, description = "It is still the same"), (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 422, description = "A wrong filter or cursor")))]
pub(crate) async fn list_memories(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let page = match command(query.as_deref().unwrap_or_default()) {
        Ok(command) => state.app.get_memories(&caller, command).await,
        Err(error) => Err(error),
    };
    answer(&state, &headers, page)
}

/// The query parameters as the data of `get_memories`.
fn command(query: &str) -> Result<GetMemories, Error> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| Error::invalid("", "the query string is no form"))?;
    let mut data = Map::new();
    for (name, value) in pairs {
        match name.as_str() {
            "tags" => {
                let tags = data.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                tags.as_array_mut().into_iter().for_each(|tags| tags.push(value.clone().into()));
            }
            _ if data.contains_key(&name) => return Err(Error::invalid(name, "must be given once")),
            "limit" => {
                let number = value.parse::<u32>().map_or(Value::String(value), Value::from);
                data.insert(name, number);
            }
            _ => {
                data.insert(name, value.into());
            }
        }
    }
    arguments::parse(Value::Object(data))
}

/// The view as JSON with an entity tag (RFC 9110 section 8.8.3), or that it has not changed. The tag is made of what
/// this caller gets, so it says nothing of what they do not see (MEM-10).
fn answer<T: Serialize>(state: &AppState, headers: &HeaderMap, outcome: Result<T, Error>) -> Response {
    let mut view = match outcome.and_then(|view| serde_json::to_value(&view).map_err(Error::internal)) {
        Ok(view) => view,
        Err(error) => return ApiError(error, state.app.public_url().to_owned()).into_response(),
    };
    let body = view.to_string();
    // A cursor looks different each time; what counts is whether there is one.
    if let Some(cursor) = view.get_mut("next_cursor").filter(|cursor| !cursor.is_null()) {
        *cursor = true.into();
    }
    let tag = entity_tag(&view.to_string());
    let cache = [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")), (header::ETAG, tag.clone())];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (StatusCode::OK, cache, kind, body).into_response()
}

fn entity_tag(body: &str) -> HeaderValue {
    let hash = picard_crypto::hash_token(body);
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digits}\"")).expect("hexadecimal digits stand in headers")
}

/// Weak comparison, as RFC 9110 section 13.1.2 asks for reads.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut given = values.flat_map(|value| value.split(',')).map(str::trim);
    given.any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given).as_bytes() == tag.as_bytes())
}
