//! Writing a memory.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::RETRY_AFTER;

use super::field_errors::FieldErrors;
use super::memory_fields::MemoryFields;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::Memory;
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "memory_new.html")]
struct NewMemoryPage {
    frame: Frame,
    fields: MemoryFields,
    errors: FieldErrors,
}

/// `GET /memories/new`
pub(crate) async fn show(member: Member) -> Response {
    if member.person.connection.is_none() {
        return see_other("/connect");
    }
    form_page(&member, MemoryFields::empty(), FieldErrors::none())
}

/// `POST /memories/new`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<MemoryFields>,
) -> Result<Response, PageError> {
    let fields = fields.normalised();
    let data = match fields.submission(member.preferences()) {
        Ok(data) => data,
        Err(errors) => return Ok(form_page(&member, fields, errors)),
    };
    match tokens::call_tool::<Memory>(&state, &member.person, "submit_memory", &data).await {
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=created", memory.id))),
        Err(error) => Ok(form_page(&member, fields, MemoryFields::errors_of(&error, member.words()))),
    }
}

fn form_page(member: &Member, fields: MemoryFields, errors: FieldErrors) -> Response {
    let (status, retry_after) = (errors.status, errors.retry_after);
    let frame = Frame::new(&member.visitor, member.words().memory.new_title, Section::New);
    let mut response = page(status, &NewMemoryPage { frame, fields, errors });
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
