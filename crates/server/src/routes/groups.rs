//! Groups of people.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use picard_domain::group::{Group, GroupName};
use picard_domain::{Caller, Error};
use serde::Deserialize;
use serde_json::json;

use crate::bearer::ApiError;
use crate::body::StrictJson;
use crate::idempotency::IdempotencyKey;
use crate::routes::admin::Page;
use crate::state::AppState;

/// What a group is called.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupRequest {
    /// 1 to 100 characters on one line.
    #[schema(value_type = String, example = "Family", min_length = 1, max_length = 100)]
    name: GroupName,
}

/// A group, or why there is none.
fn answer(state: &AppState, status: StatusCode, outcome: Result<Group, Error>) -> Response {
    match outcome {
        Ok(group) => (status, Json(json!(group))).into_response(),
        Err(error) => refused(state, error),
    }
}

/// Nothing, or why not.
fn done(state: &AppState, outcome: Result<(), Error>) -> Response {
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(state, error),
    }
}

fn refused(state: &AppState, error: Error) -> Response {
    ApiError(error, state.app.public_url().to_owned()).into_response()
}

/// A malformed id is nothing that is there.
fn id<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// Lists the groups that the caller owns or is in, the newest first.
#[utoipa::path(get, path = "/api/groups", tag = "groups", operation_id = "list_groups", security(("bearer" = ["memories:read"])),
    params(("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"), ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")), responses(
    (status = 200, description = "A page of groups", body = Value, example = json!({"groups": [{"id": "…", "name": "Family", "owner_id": "…", "members": ["…"], "created_at": "2026-01-01T00:00:00+00:00"}], "next_cursor": null})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "A wrong limit or cursor")))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let found = async {
        let page = Page::read(query.as_deref())?;
        state.app.groups(&caller, page.limit()?, page.cursor.as_deref()).await
    };
    match found.await {
        Ok(page) => Json(json!({ "groups": page.groups, "next_cursor": page.next_cursor })).into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Makes a group; the caller owns it.
#[utoipa::path(post, path = "/api/groups", tag = "groups", operation_id = "create_group", security(("bearer" = ["memories:write"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again within 24 hours makes no second group")),
    request_body = GroupRequest, responses(
    (status = 201, description = "The group", body = Value, example = json!({"id": "…", "name": "Family", "owner_id": "…", "members": [], "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 409, description = "As many groups as one may own"), (status = 422, description = "A wrong name")))]
pub(crate) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    IdempotencyKey(key): IdempotencyKey,
    StrictJson(body): StrictJson<GroupRequest>,
) -> Response {
    answer(&state, StatusCode::CREATED, state.app.create_group(&caller, body.name, key.as_deref()).await)
}

/// Shows a group to its owner and its members.
#[utoipa::path(get, path = "/api/groups/{group_id}", tag = "groups", operation_id = "get_group", security(("bearer" = ["memories:read"])),
    params(("group_id" = String, Path, description = "The group")), responses(
    (status = 200, description = "The group", body = Value, example = json!({"id": "…", "name": "Family", "owner_id": "…", "members": ["…"], "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 404, description = "No such group")))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(group_id): Path<String>,
) -> Response {
    let group = match id(&group_id) {
        Ok(id) => state.app.group(&caller, id).await,
        Err(error) => Err(error),
    };
    answer(&state, StatusCode::OK, group)
}

/// Renames a group; only its owner may.
#[utoipa::path(patch, path = "/api/groups/{group_id}", tag = "groups", operation_id = "rename_group", security(("bearer" = ["memories:write"])),
    params(("group_id" = String, Path, description = "The group")), request_body = GroupRequest, responses(
    (status = 200, description = "The group", body = Value, example = json!({"id": "…", "name": "Relatives", "owner_id": "…", "members": ["…"], "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope, or the caller is a member"),
    (status = 404, description = "No such group"), (status = 422, description = "A wrong name")))]
pub(crate) async fn rename(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(group_id): Path<String>,
    StrictJson(body): StrictJson<GroupRequest>,
) -> Response {
    let group = match id(&group_id) {
        Ok(id) => state.app.rename_group(&caller, id, body.name).await,
        Err(error) => Err(error),
    };
    answer(&state, StatusCode::OK, group)
}

/// Deletes a group; only its owner may.
#[utoipa::path(delete, path = "/api/groups/{group_id}", tag = "groups", operation_id = "delete_group", security(("bearer" = ["memories:write"])),
    params(("group_id" = String, Path, description = "The group")), responses(
    (status = 204, description = "The group is gone"), (status = 401, description = "No valid access token"),
    (status = 403, description = "The token lacks the scope, or the caller is a member"), (status = 404, description = "No such group")))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(group_id): Path<String>,
) -> Response {
    let outcome = match id(&group_id) {
        Ok(id) => state.app.delete_group(&caller, id).await,
        Err(error) => Err(error),
    };
    done(&state, outcome)
}

/// Puts somebody into a group; only its owner may.
#[utoipa::path(put, path = "/api/groups/{group_id}/members/{user_id}", tag = "groups", operation_id = "add_group_member", security(("bearer" = ["memories:write"])),
    params(("group_id" = String, Path, description = "The group"), ("user_id" = String, Path, description = "The person")), responses(
    (status = 204, description = "They are in it"), (status = 401, description = "No valid access token"),
    (status = 403, description = "The token lacks the scope, or the caller is a member"), (status = 404, description = "No such group or person"),
    (status = 409, description = "As many members as a group may have")))]
pub(crate) async fn add_member(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((group_id, user_id)): Path<(String, String)>,
) -> Response {
    let outcome = match (id(&group_id), id(&user_id)) {
        (Ok(group), Ok(member)) => state.app.add_group_member(&caller, group, member).await,
        _ => Err(Error::NotFound),
    };
    done(&state, outcome)
}

/// Takes somebody out of a group: its owner anybody, a member themselves.
#[utoipa::path(delete, path = "/api/groups/{group_id}/members/{user_id}", tag = "groups", operation_id = "remove_group_member", security(("bearer" = ["memories:write"])),
    params(("group_id" = String, Path, description = "The group"), ("user_id" = String, Path, description = "The person")), responses(
    (status = 204, description = "They are out of it"), (status = 401, description = "No valid access token"),
    (status = 403, description = "The token lacks the scope, or the caller is another member"), (status = 404, description = "No such group, or they are not in it")))]
pub(crate) async fn remove_member(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((group_id, user_id)): Path<(String, String)>,
) -> Response {
    let outcome = match (id(&group_id), id(&user_id)) {
        (Ok(group), Ok(member)) => state.app.remove_group_member(&caller, group, member).await,
        _ => Err(Error::NotFound),
    };
    done(&state, outcome)
}
