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

impl EditPage {
    fn new(member: &Member, id: Uuid, fields: MemoryFields, errors: FieldErrors) -> Self {
        let frame = Frame::new(&member.visitor, member.words().memory.edit_title, Section::Memories);
        Self { frame, id, fields, errors, stored: None }
    }

    fn response(&self) -> Response {
        let mut response = page(self.errors.status, self);
        if let Some(seconds) = self.errors.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// `GET /memories/{id}/edit`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Path(id): Path<String>) -> Result<Response, PageError> {
    member.may_write()?;
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    if !MemoryView::new(&memory, &member).is_own {
        return Err(PageError::not_found());
    }
    let fields = MemoryFields::of(&memory, &member.preferences().zone);
    Ok(EditPage::new(&member, memory.id, fields, FieldErrors::none()).response())
}

/// `POST /memories/{id}/edit`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<MemoryFields>,
) -> Result<Response, PageError> {
    let (id, fields) = (id_in(&id)?, fields.normalised());
    if !fields.preview.is_empty() {
        let (fields, errors) = fields.previewed(member.words()).await;
        return Ok(EditPage::new(&member, id, fields, errors).response());
    }
    let data = match fields.change(id, member.preferences()) {
        Ok(data) => data,
        Err(errors) => return Ok(EditPage::new(&member, id, fields, errors).response()),
    };
    match tokens::call_tool::<Memory>(&state, &member.person, "update_memory", &data).await {
        Ok(_) if fields.is_newly_shared() => Ok(see_other(&format!("/memories/{id}/sharing?done=saved"))),
        Ok(_) => Ok(see_other(&format!("/memories/{id}?done=saved"))),
        Err(CallError::Tool(ToolError::VersionMismatch)) => Ok(conflict_page(&state, &member, id, fields).await),
        Err(error) => {
            let errors = MemoryFields::errors_of(&error, member.words());
            Ok(EditPage::new(&member, id, fields, errors).response())
        }
    }
}

/// Shows both texts; saving once more replaces the stored one, knowingly.
async fn conflict_page(state: &AppState, member: &Member, id: Uuid, fields: MemoryFields) -> Response {
    let found = tokens::call_tool::<Memory>(state, &member.person, "get_memory", &json!({ "memory_id": id })).await;
    match found {
        Ok(memory) => {
            let mut errors = FieldErrors::one("", member.words().memory.stale);
            errors.status = StatusCode::CONFLICT;
            let fields = fields.rebased_on(&memory, &member.preferences().zone);
            let mut page = EditPage::new(member, id, fields, errors);
            page.stored = Some(MemoryView::new(&memory, member));
            page.response()
        }
        Err(error) => EditPage::new(member, id, fields, MemoryFields::errors_of(&error, member.words())).response(),
    }
}
