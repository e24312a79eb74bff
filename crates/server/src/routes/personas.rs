//! What the owner of personas decides and sees: what was asked, and who may not ask.

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use picard_app::PersonaQuestion;
use picard_domain::{Caller, Error, PersonaId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bearer::ApiError;
use crate::body::StrictJson;
use crate::routes::admin::Page;
use crate::state::AppState;

fn refused(state: &AppState, error: Error) -> Response {
    ApiError(error, state.app.public_url().to_owned()).into_response()
}

fn shown(question: PersonaQuestion) -> Value {
    let (asker, username) = question.asker;
    let (input, output) = question.tokens;
    json!({
        "id": question.id,
        "persona_id": question.persona_id,
        "asker": { "id": asker, "username": username },
        "asked_at": question.asked_at,
        "question": question.question,
        "mode": question.mode,
        "model": question.model,
        "memories": question.memory_ids,
        "tokens": { "input": input, "output": output },
    })
}

/// Lists what was asked of the caller's memories, the newest first.
#[utoipa::path(get, path = "/api/personas/questions", tag = "personas", operation_id = "list_persona_questions", security(("bearer" = ["memories:read"])),
    params(("persona_id" = Option<String>, Query, description = "Only of this persona"), ("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")), responses(
    (status = 200, description = "A page of questions", body = Value, example = json!({"questions": [{"id": "…", "persona_id": null, "asker": {"id": "…", "username": "grace"}, "asked_at": "2026-01-01T00:00:00+00:00", "question": "What does Ada drink?", "mode": "llm", "model": "llama3.1", "memories": ["…"], "tokens": {"input": 412, "output": 23}}], "next_cursor": null})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "A wrong persona, limit or cursor")))]
pub(crate) async fn questions(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let found = async {
        let (persona_id, query) = persona_in(query.as_deref().unwrap_or_default())?;
        let page = Page::read(Some(&query))?;
        state.app.persona_questions(&caller, persona_id, page.limit()?, page.cursor.as_deref()).await
    };
    match found.await {
        Ok(page) => {
            let questions: Vec<Value> = page.questions.into_iter().map(shown).collect();
            Json(json!({ "questions": questions, "next_cursor": page.next_cursor })).into_response()
        }
        Err(error) => refused(&state, error),
    }
}

/// The persona that a query names, and the rest of the query.
fn persona_in(query: &str) -> Result<(Option<PersonaId>, String), Error> {
    let (mut persona_id, mut rest) = (None, url::form_urlencoded::Serializer::new(String::new()));
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name == "persona_id" {
            persona_id =
                Some(value.parse().map_err(|_| Error::invalid("persona_id", "must be a UUID in lower case with hyphens"))?);
        } else {
            rest.append_pair(&name, &value);
        }
    }
    Ok((persona_id, rest.finish()))
}

/// How many answers a day others get.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitRequest {
    /// 0 to 1,000,000 answers to others, all personas together; null: any number.
    #[schema(example = 100)]
    answers_a_day: Option<u32>,
}

/// Shows how many answers a day the caller's memories give to others.
#[utoipa::path(get, path = "/api/personas/limits", tag = "personas", operation_id = "get_persona_limits", security(("bearer" = ["memories:read"])), responses(
    (status = 200, description = "The limit; null: any number", body = Value, example = json!({"answers_a_day": 100})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope")))]
pub(crate) async fn limits(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    match state.app.answers_a_day(&caller).await {
        Ok(limit) => Json(json!({ "answers_a_day": limit })).into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Sets how many answers a day the caller's memories give to others, at once.
#[utoipa::path(put, path = "/api/personas/limits", tag = "personas", operation_id = "set_persona_limits", security(("bearer" = ["memories:write"])),
    request_body = LimitRequest, responses((status = 204, description = "It holds"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "A wrong number")))]
pub(crate) async fn set_limits(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    StrictJson(body): StrictJson<LimitRequest>,
) -> Response {
    match state.app.set_answers_a_day(&caller, body.answers_a_day).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&state, error),
    }
}

/// Lists whose questions are not answered, the last first.
#[utoipa::path(get, path = "/api/personas/blocks", tag = "personas", operation_id = "list_persona_blocks", security(("bearer" = ["memories:read"])), responses(
    (status = 200, description = "The people", body = Value, example = json!({"blocked": [{"id": "…", "username": "grace"}]})),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope")))]
pub(crate) async fn blocks(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    match state.app.blocked_askers(&caller).await {
        Ok(people) => {
            let blocked: Vec<Value> =
                people.into_iter().map(|(id, username)| json!({ "id": id, "username": username })).collect();
            Json(json!({ "blocked": blocked })).into_response()
        }
        Err(error) => refused(&state, error),
    }
}

/// Has somebody's questions answered no more, at once.
#[utoipa::path(put, path = "/api/personas/blocks/{user_id}", tag = "personas", operation_id = "block_asker", security(("bearer" = ["memories:write"])),
    params(("user_id" = String, Path, description = "The person")), responses((status = 204, description = "They are not answered"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "No id, or one's own")))]
pub(crate) async fn block(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(user_id): Path<String>,
) -> Response {
    set(&state, &caller, &user_id, true).await
}

/// Has somebody's questions answered again.
#[utoipa::path(delete, path = "/api/personas/blocks/{user_id}", tag = "personas", operation_id = "unblock_asker", security(("bearer" = ["memories:write"])),
    params(("user_id" = String, Path, description = "The person")), responses((status = 204, description = "They are answered"),
    (status = 401, description = "No valid access token"), (status = 403, description = "The token lacks the scope"), (status = 422, description = "No id, or one's own")))]
pub(crate) async fn unblock(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(user_id): Path<String>,
) -> Response {
    set(&state, &caller, &user_id, false).await
}

async fn set(state: &AppState, caller: &Caller, user_id: &str, is_blocked: bool) -> Response {
    let done = async {
        let asker: UserId =
            user_id.parse().map_err(|_| Error::invalid("user_id", "must be a UUID in lower case with hyphens"))?;
        state.app.block_asker(caller, asker, is_blocked).await
    };
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(state, error),
    }
}
