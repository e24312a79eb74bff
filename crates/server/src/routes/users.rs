//! People's own accounts, and the directory.

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use picard_app::{AnswerFigure, ChangeProfile, Named, Profile, SignUp, SignUpError};
use picard_domain::page::ListLimit;
use picard_domain::{Caller, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::address::ClientAddress;
use crate::bearer::ApiError;
use crate::body::{OptionalJson, StrictJson};
use crate::error::Problem;
use crate::routes::activity::{event, limit, read_query};
use crate::state::AppState;

/// An account to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignUpRequest {
    /// 1 to 64 letters, digits or the characters . _ - @
    #[schema(example = "ada", min_length = 1, max_length = 64)]
    username: String,
    /// Their address; one can sign in with it.
    #[schema(example = "ada@example.org", required = false)]
    email: Option<String>,
    /// 8 to 1,024 characters.
    #[schema(example = "four unrelated words here", min_length = 8, max_length = 1024)]
    password: String,
}

/// What of one's account is to change; null empties a member.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileRequest {
    /// Their address.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "ada@example.org")]
    email: Option<Option<String>>,
    /// The name under which others see them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Ada Lovelace")]
    display_name: Option<Option<String>>,
    /// What they say about themselves.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "I like engines.")]
    bio: Option<Option<String>>,
    /// Whether they may be found in the directory.
    #[schema(example = true, required = false)]
    is_listed: Option<bool>,
}

/// Tells a member that is null from one that was left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// A change of password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The password that is to end.
    #[schema(example = "four unrelated words here")]
    current_password: String,
    /// 8 to 1,024 characters.
    #[schema(example = "four other words instead", min_length = 8, max_length = 1024)]
    new_password: String,
}

/// The end of an account.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeletionRequest {
    /// The account's password, if it has one.
    #[schema(example = "four unrelated words here", required = false)]
    password: Option<String>,
}

fn view(profile: &Profile) -> Value {
    json!({
        "id": profile.id,
        "username": profile.username,
        "email": profile.email,
        "display_name": profile.display_name,
        "bio": profile.bio,
        "is_listed": profile.is_listed,
        "is_superuser": profile.is_superuser,
        "has_password": profile.password_hash.is_some(),
        "created_at": profile.created_at,
    })
}

fn refused(state: &AppState, error: Error) -> Response {
    ApiError(error, state.app.public_url().to_owned()).into_response()
}

/// Makes an account for whoever asks, if the operator allows it.
#[utoipa::path(post, path = "/api/users", tag = "users", operation_id = "sign_up", security(()), request_body = SignUpRequest, responses(
    (status = 201, description = "The account", body = Value, example = json!({"id": "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11", "username": "ada", "email": "ada@example.org"})),
    (status = 403, description = "signup_disabled"), (status = 409, description = "The name or the address is taken"),
    (status = 422, description = "Something is wrong with name, address or password"), (status = 429, description = "Too many tries")))]
pub(crate) async fn sign_up(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    StrictJson(body): StrictJson<SignUpRequest>,
) -> Response {
    let (username, email) = (body.username.clone(), body.email.clone());
    let new = SignUp { username: body.username, email: body.email, password: body.password.into() };
    match state.app.sign_up(new, &address).await {
        Ok(id) => (StatusCode::CREATED, Json(json!({ "id": id, "username": username, "email": email }))).into_response(),
        Err(SignUpError::Disabled) => {
            let detail = "People cannot make accounts here themselves: ask whoever runs this server for one.";
            Problem::new(StatusCode::FORBIDDEN, "signup_disabled", detail).into_response()
        }
        Err(SignUpError::Other(error)) => Problem::from(error).into_response(),
    }
}

/// Shows the caller's own account.
#[utoipa::path(get, path = "/api/users/me", tag = "users", operation_id = "get_profile", security(("bearer" = ["memories:read"])), responses(
    (status = 200, description = "The account", body = Value, example = json!({"id": "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11", "username": "ada", "email": "ada@example.org",
        "display_name": "Ada Lovelace", "bio": "I like engines.", "is_listed": true, "is_superuser": false, "has_password": true, "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope")))]
pub(crate) async fn get_profile(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    match state.app.profile(&caller).await {
        Ok(profile) => Json(view(&profile)).into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Changes the caller's own account.
#[utoipa::path(patch, path = "/api/users/me", tag = "users", operation_id = "change_profile", security(("bearer" = ["memories:write"])),
    request_body = ProfileRequest, responses(
    (status = 200, description = "The account", body = Value, example = json!({"id": "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11", "username": "ada", "email": "ada@example.org",
        "display_name": "Ada Lovelace", "bio": "I like engines.", "is_listed": true, "is_superuser": false, "has_password": true, "created_at": "2026-01-01T00:00:00+00:00"})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 409, description = "The address is another account's"), (status = 422, description = "Something is wrong")))]
pub(crate) async fn change_profile(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    StrictJson(body): StrictJson<ProfileRequest>,
) -> Response {
    let change = ChangeProfile { email: body.email, display_name: body.display_name, bio: body.bio, is_listed: body.is_listed };
    match state.app.change_profile(&caller, change).await {
        Ok(profile) => Json(view(&profile)).into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Changes the caller's password; every token and every session of the account ends, the caller's own too.
#[utoipa::path(post, path = "/api/users/me/password", tag = "users", operation_id = "change_password", security(("bearer" = ["memories:write"])),
    request_body = PasswordRequest, responses((status = 204, description = "Changed: sign in again"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 409, description = "The account has no password"), (status = 422, description = "A wrong present or a bad new password"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn change_password(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    ClientAddress(address): ClientAddress,
    StrictJson(body): StrictJson<PasswordRequest>,
) -> Response {
    let changed = state.app.change_password(&caller, body.current_password.into(), body.new_password.into(), &address).await;
    match changed {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Deletes the caller's account with all that is theirs, for good.
#[utoipa::path(delete, path = "/api/users/me", tag = "users", operation_id = "delete_account", security(("bearer" = ["memories:write"])),
    request_body(content = Option<DeletionRequest>, description = "May be left out for an account without a password"), responses((status = 204, description = "The account is gone, and its texts are unreadable everywhere"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"),
    (status = 409, description = "The last active administrator"), (status = 422, description = "A wrong password"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn delete_account(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    ClientAddress(address): ClientAddress,
    OptionalJson(body): OptionalJson<DeletionRequest>,
) -> Response {
    match state.app.delete_account(&caller, body.password.map(Into::into), &address).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Shows what the caller did, and what was done to their account; the newest first.
#[utoipa::path(get, path = "/api/users/me/activity", tag = "users", operation_id = "own_activity", security(("bearer" = ["memories:read"])), params(
    ("event" = Option<String>, Query, description = "Only acts of this kind"), ("client_id" = Option<String>, Query, description = "Only through this client"),
    ("since" = Option<String>, Query, description = "Not before"), ("until" = Option<String>, Query, description = "Before"),
    ("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"), ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")), responses(
    (status = 200, description = "A page of acts", body = Value, example = json!({"events": [{"id": "…", "happened_at": "2026-01-01T00:00:00+00:00", "event": "signed_in",
        "user_id": "…", "subject_id": null, "client_id": null, "address": "127.0.0.1", "details": {}}], "next_cursor": null})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "A wrong filter")))]
pub(crate) async fn own_activity(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let page = match read_query(query.as_deref(), false) {
        Ok((filter, limit, cursor)) => state.app.own_activity(&caller, filter, limit, cursor.as_deref()).await,
        Err(error) => Err(error),
    };
    match page {
        Ok(page) => {
            let events: Vec<Value> = page.events.iter().map(event).collect();
            Json(json!({ "events": events, "next_cursor": page.next_cursor })).into_response()
        }
        Err(error) => refused(&state, error),
    }
}

/// Shows figures of the caller's own memories.
#[utoipa::path(get, path = "/api/users/me/analytics", tag = "users", operation_id = "analytics", security(("bearer" = ["memories:read"])), responses(
    (status = 200, description = "The figures", body = Value, example = json!({"memories": {"total": 3, "public": 1, "shared": 0, "aggregate": 0, "private": 2, "expired": 0},
        "months": [{"month": "2026-01", "count": 3}], "tags": [{"tag": "tea", "count": 2}], "categories": [{"category": "preferences", "count": 1}],
        "answers": {"asked": [{"client_id": "…", "persona_id": null, "count": 2, "input_tokens": 812, "output_tokens": 57}], "given": []}})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope")))]
pub(crate) async fn analytics(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    let figures = match state.app.analytics(&caller).await {
        Ok(figures) => figures,
        Err(error) => return refused(&state, error),
    };
    let named = |member: &str, list: &[Named]| -> Vec<Value> {
        list.iter().map(|named| json!({ member: named.name, "count": named.count })).collect()
    };
    Json(json!({
        "memories": {
            "total": figures.memories,
            "public": figures.public,
            "shared": figures.shared,
            "aggregate": figures.aggregate,
            "private": figures.memories - figures.public - figures.shared - figures.aggregate,
            "expired": figures.expired,
        },
        "months": named("month", &figures.months),
        "tags": named("tag", &figures.tags),
        "categories": named("category", &figures.categories),
        "answers": {
            "asked": answers(&figures.asked),
            "given": answers(&figures.given),
        },
    }))
    .into_response()
}

fn answers(list: &[AnswerFigure]) -> Vec<Value> {
    let figure = |figure: &AnswerFigure| {
        json!({
            "client_id": figure.client_id, "persona_id": figure.persona_id, "count": figure.count,
            "input_tokens": figure.input_tokens, "output_tokens": figure.output_tokens,
        })
    };
    list.iter().map(figure).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryQuery {
    #[serde(default)]
    query: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Searches the directory: people who chose to be listed, and always the caller.
#[utoipa::path(get, path = "/api/users", tag = "users", operation_id = "list_users", security(("bearer" = ["memories:read"])), params(
    ("query" = Option<String>, Query, description = "Part of a name"), ("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"),
    ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")), responses(
    (status = 200, description = "A page of people", body = Value, example = json!({"users": [{"id": "…", "username": "ada", "display_name": "Ada Lovelace", "personas": [{"id": "…", "name": "Ada on tea"}]}], "next_cursor": null})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "A wrong limit or cursor")))]
pub(crate) async fn list_users(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let found = async {
        let wrong =
            |_| Error::invalid("limit", "must be a whole number from 1 to 200, and only query, limit and cursor may be given");
        let query: DirectoryQuery = serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).map_err(wrong)?;
        let limit: ListLimit = limit(query.limit)?;
        state.app.directory(&caller, &query.query, limit, query.cursor.as_deref()).await
    };
    match found.await {
        Ok(page) => {
            let people = page.people.iter().map(|person| {
                let personas: Vec<Value> = person.personas.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
                json!({ "id": person.id, "username": person.username, "display_name": person.display_name, "personas": personas })
            });
            Json(json!({ "users": people.collect::<Vec<_>>(), "next_cursor": page.next_cursor })).into_response()
        }
        Err(error) => refused(&state, error),
    }
}
