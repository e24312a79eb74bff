//! People, as administrators manage them.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use picard_app::Person;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::StrictJson;
use crate::error::Problem;
use crate::routes::admin::{Admin, Page, id};
use crate::state::AppState;

/// What of an account an administrator changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonChange {
    /// Whether the account may be used; `false` ends all of its tokens.
    #[schema(example = false)]
    is_active: Option<bool>,
    /// Whether the person is an administrator.
    is_superuser: Option<bool>,
}

fn view(person: &Person) -> Value {
    json!({
        "id": person.id,
        "username": person.username,
        "email": person.email,
        "is_active": person.is_active,
        "is_superuser": person.is_superuser,
        "created_at": person.created_at,
    })
}

/// Lists everybody, the newest account first.
#[utoipa::path(get, path = "/api/admin/users", tag = "administration", operation_id = "list_people",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"), ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")),
    security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "A page of people", body = Value, example = json!({"users": [{"id": "…", "username": "ada", "email": "ada@example.org",
        "is_active": true, "is_superuser": false, "created_at": "2026-01-01T00:00:00+00:00"}], "next_cursor": null})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "A wrong limit or cursor"), (status = 429, description = "Too many failed tries")))]
pub(crate) async fn list_people(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let page = Page::read(query.as_deref())?;
    let page = state.app.people(administrator, page.limit()?, page.cursor.as_deref()).await?;
    Ok(Json(json!({ "users": page.people.iter().map(view).collect::<Vec<_>>(), "next_cursor": page.next_cursor })))
}

/// Shows one account.
#[utoipa::path(get, path = "/api/admin/users/{user_id}", tag = "administration", operation_id = "get_person",
    params(("user_id" = String, Path, description = "The person")), security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "The account", body = Value, example = json!({"id": "…", "username": "ada", "email": "ada@example.org",
        "is_active": true, "is_superuser": false, "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 404, description = "No such person")))]
pub(crate) async fn get_person(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(user_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&state.app.person(administrator, id(&user_id)?).await?)))
}

/// Changes whether an account may be used and whether its person is an administrator.
#[utoipa::path(patch, path = "/api/admin/users/{user_id}", tag = "administration", operation_id = "change_person",
    params(("user_id" = String, Path, description = "The person")), request_body = PersonChange,
    security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "The account", body = Value, example = json!({"id": "…", "username": "ada", "email": "ada@example.org",
        "is_active": false, "is_superuser": false, "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 404, description = "No such person"), (status = 409, description = "The last active administrator"),
    (status = 422, description = "Nothing to change")))]
pub(crate) async fn change_person(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(user_id): Path<String>,
    StrictJson(body): StrictJson<PersonChange>,
) -> Result<Json<Value>, Problem> {
    let changed = state.app.change_person(administrator, id(&user_id)?, body.is_active, body.is_superuser).await?;
    Ok(Json(view(&changed)))
}

/// Deletes a person with all that is theirs, for good.
#[utoipa::path(delete, path = "/api/admin/users/{user_id}", tag = "administration", operation_id = "delete_person",
    params(("user_id" = String, Path, description = "The person")), security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 204, description = "The person is gone"), (status = 401, description = "Not an administrator"),
    (status = 403, description = "Somebody who is not an administrator"), (status = 404, description = "No such person"),
    (status = 409, description = "The last active administrator")))]
pub(crate) async fn delete_person(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(user_id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.app.delete_person(administrator, id(&user_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
