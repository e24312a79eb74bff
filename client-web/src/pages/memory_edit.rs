//! Changing a memory, without overwriting what changed in the meantime.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::field_errors::FieldErrors;
use super::memory::{id_in, load};
use super::memory_fields::MemoryFields;
use super::memory_view::MemoryView;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Memory, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "memory_edit.html")]
struct EditPage {
    frame: Frame,
    id: Uuid,
    fields: MemoryFields,
    errors: FieldErrors,
    /// What is stored now, when it is not what the person started from.
    stored: Option<MemoryView>,
}

/// `GET /memories/{id}/edit`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Path(id): Path<String>) -> Result<Response, PageError> {
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    if !MemoryView::new(&memory, &member).is_own {
        return Err(PageError::not_found());
    }
    Ok(form_page(&member, memory.id, MemoryFields::of(&memory, &member.preferences().zone), FieldErrors::none(), None))
}

/// `POST /memories/{id}/edit`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<MemoryFields>,
) -> Result<Response, PageError> {
    let (id, fields) = (id_in(&id)?, fields.normalised());
    let data = match fields.change(id, member.preferences()) {
        Ok(data) => data,
        Err(errors) => return Ok(form_page(&member, id, fields, errors, None)),
    };
    match tokens::call_tool::<Memory>(&state, &member.person, "update_memory", &data).await {
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=saved", memory.id))),
        Err(CallError::Tool(ToolError::VersionMismatch)) => Ok(conflict_page(&state, &member, id, fields).await),
        Err(error) => Ok(form_page(&member, id, fields, MemoryFields::errors_of(&error, member.words()), None)),
    }
}

/// Shows both texts; saving once more replaces the stored one, knowingly.
async fn conflict_page(state: &AppState, member: &Member, id: Uuid, fields: MemoryFields) -> Response {
    let found = tokens::call_tool::<Memory>(state, &member.person, "get_memory", &json!({ "memory_id": id })).await;
    match found {
        Ok(memory) => {
            let mut errors = FieldErrors::one("", member.words().memory.stale);
            errors.status = StatusCode::CONFLICT;
            let stored = MemoryView::new(&memory, member);
            form_page(member, id, fields.rebased_on(&memory, &member.preferences().zone), errors, Some(stored))
        }
        Err(error) => form_page(member, id, fields, MemoryFields::errors_of(&error, member.words()), None),
    }
}

fn form_page(member: &Member, id: Uuid, fields: MemoryFields, errors: FieldErrors, stored: Option<MemoryView>) -> Response {
    let (status, retry_after) = (errors.status, errors.retry_after);
    let frame = Frame::new(&member.visitor, member.words().memory.edit_title, Section::Memories);
    let mut response = page(status, &EditPage { frame, id, fields, errors, stored });
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
