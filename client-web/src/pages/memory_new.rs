//! Writing a memory.

use askama::Template;
use axum::extract::State;
use axum::response::{Html, Response};
use http::HeaderValue;
use http::header::RETRY_AFTER;

use super::field_errors::FieldErrors;
use super::memory_fields::MemoryFields;
use super::vocabulary;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{Figures, Memory};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "memory_new.html")]
struct NewMemoryPage {
    frame: Frame,
    fields: MemoryFields,
    errors: FieldErrors,
    vocabulary: Figures,
}

/// `GET /memories/new`
pub(crate) async fn show(State(state): State<AppState>, member: Member) -> Result<Response, PageError> {
    member.may_write()?;
    Ok(form_page(&state, &member, MemoryFields::empty(), FieldErrors::none()).await)
}

/// `POST /memories/preview`: the text of a form as it will look, for the page's script.
pub(crate) async fn preview(MemberForm { fields, .. }: MemberForm<MemoryFields>) -> Html<String> {
    Html(markdown::to_html(&fields.text))
}

/// `POST /memories/new`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<MemoryFields>,
) -> Result<Response, PageError> {
    let fields = fields.normalised();
    if !fields.preview.is_empty() {
        return Ok(form_page(&state, &member, fields, FieldErrors::none()).await);
    }
    let data = match fields.submission(member.preferences()) {
        Ok(data) => data,
        Err(errors) => return Ok(form_page(&state, &member, fields, errors).await),
    };
    match tokens::call_tool::<Memory>(&state, &member.person, "submit_memory", &data).await {
        Ok(memory) if fields.is_newly_shared() => Ok(see_other(&format!("/memories/{}/sharing?done=created", memory.id))),
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=created", memory.id))),
        Err(error) => {
            let errors = MemoryFields::errors_of(&error, member.words());
            Ok(form_page(&state, &member, fields, errors).await)
        }
    }
}

async fn form_page(state: &AppState, member: &Member, fields: MemoryFields, errors: FieldErrors) -> Response {
    let (status, retry_after) = (errors.status, errors.retry_after);
    // A form that has just failed must not wait for another answer of a server that may be away.
    let vocabulary = if errors.is_empty() { vocabulary::known(state, member).await } else { Figures::default() };
    let frame = Frame::new(&member.visitor, member.words().memory.new_title, Section::New);
    let mut response = page(status, &NewMemoryPage { frame, fields, errors, vocabulary });
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
