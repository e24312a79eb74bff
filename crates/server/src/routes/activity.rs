//! The log of acts and the figures of the deployment.

use axum::Json;
use axum::extract::{RawQuery, State};
use picard_app::{AuditEvent, AuditFilter};
use picard_domain::page::ListLimit;
use picard_domain::{ClientId, Error, Timestamp, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::routes::admin::Admin;
use crate::state::AppState;

/// Which acts are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivityQuery {
    user_id: Option<String>,
    client_id: Option<String>,
    event: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

fn member<T: std::str::FromStr>(name: &str, text: Option<String>) -> Result<Option<T>, Error>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse().map_err(|error: T::Err| Error::invalid(name, error.to_string()))).transpose()
}

/// A page size from a query string.
pub(crate) fn limit(limit: Option<u32>) -> Result<ListLimit, Error> {
    let Some(limit) = limit else { return Ok(ListLimit::default()) };
    serde_json::from_value(limit.into()).map_err(|error: serde_json::Error| Error::invalid("limit", error.to_string()))
}

/// Reads filter, limit and cursor; only administrators choose the person.
pub(crate) fn read_query(query: Option<&str>, chooses_person: bool) -> Result<(AuditFilter, ListLimit, Option<String>), Error> {
    let wrong = |error: serde_urlencoded::de::Error| Error::invalid("", error.to_string());
    let query: ActivityQuery = serde_urlencoded::from_str(query.unwrap_or_default()).map_err(wrong)?;
    if query.user_id.is_some() && !chooses_person {
        return Err(Error::invalid("user_id", "is not known here: it is always the caller"));
    }
    let filter = AuditFilter {
        user_id: member::<UserId>("user_id", query.user_id)?,
        client_id: member::<ClientId>("client_id", query.client_id)?,
        event: query.event,
        since: member::<Timestamp>("since", query.since)?,
        until: member::<Timestamp>("until", query.until)?,
    };
    Ok((filter, limit(query.limit)?, query.cursor))
}

/// An entry of the log.
pub(crate) fn event(event: &AuditEvent) -> Value {
    json!({
        "id": event.id,
        "happened_at": event.happened_at,
        "event": event.event,
        "user_id": event.user_id,
        "subject_id": event.subject_id,
        "client_id": event.client_id,
        "address": event.address,
        "details": event.details,
    })
}

/// Shows what happened in the deployment, the newest first: ids and kinds of acts, never a text.
#[utoipa::path(get, path = "/api/admin/activity", tag = "administration", operation_id = "activity",
    security(("administrator" = []), ("bearer" = ["memories:admin"])), params(
    ("user_id" = Option<String>, Query, description = "Only acts of this person, or done to them"), ("client_id" = Option<String>, Query, description = "Only through this client"),
    ("event" = Option<String>, Query, description = "Only acts of this kind"), ("since" = Option<String>, Query, description = "Not before"), ("until" = Option<String>, Query, description = "Before"),
    ("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"), ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")), responses(
    (status = 200, description = "A page of acts", body = Value, example = json!({"events": [{"id": "…", "happened_at": "2026-01-01T00:00:00+00:00", "event": "user_token_issued",
        "user_id": "…", "subject_id": null, "client_id": "…", "address": "127.0.0.1", "details": {}}], "next_cursor": null})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "A wrong filter"), (status = 429, description = "Too many failed tries")))]
pub(crate) async fn activity(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let (filter, limit, cursor) = read_query(query.as_deref(), true)?;
    let page = state.app.activity(administrator, filter, limit, cursor.as_deref()).await?;
    let events: Vec<Value> = page.events.iter().map(event).collect();
    Ok(Json(json!({ "events": events, "next_cursor": page.next_cursor })))
}

/// Shows the figures of the deployment.
#[utoipa::path(get, path = "/api/admin/stats", tag = "administration", operation_id = "stats",
    security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "How much there is of everything", body = Value, example = json!({"users": 3, "active_users": 3, "superusers": 1, "clients": 1,
        "self_registered_clients": 2, "grants": 4, "memories": 120, "public_memories": 10, "embedding_backlog": 0})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn stats(State(state): State<AppState>, Admin(administrator): Admin) -> Result<Json<Value>, Problem> {
    let figures = state.app.statistics(administrator).await?;
    Ok(Json(json!({
        "users": figures.users,
        "active_users": figures.active_users,
        "superusers": figures.superusers,
        "clients": figures.clients,
        "self_registered_clients": figures.self_registered_clients,
        "grants": figures.grants,
        "memories": figures.memories,
        "public_memories": figures.public_memories,
        "embedding_backlog": figures.embedding_backlog,
    })))
}
