//! Writing a memory.

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::field_errors::FieldErrors;
use super::memory_fields::MemoryFields;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Memory, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "memory_new.html")]
struct NewMemoryPage {
    frame: Frame,
    fields: MemoryFields,
    errors: FieldErrors,
}

/// `GET /memories/new`
pub(crate) async fn show(member: Member) -> Result<Response, PageError> {
    member.may_write()?;
    Ok(form_page(&member, MemoryFields::empty(), FieldErrors::none()))
}

/// What the page's script shows in place of a text.
#[derive(Template)]
#[template(source = r#"<p class="field-error">{{ message }}</p>"#, ext = "html")]
struct NoPreview<'a> {
    message: &'a str,
}

/// `POST /memories/preview`: the text of a form as it will look, for the page's script.
pub(crate) async fn preview(MemberForm { member, fields }: MemberForm<MemoryFields>) -> Result<Response, PageError> {
    member.may_write()?;
    let (fields, errors) = fields.normalised().previewed(member.words()).await;
    Ok(match errors.of("text") {
        Some(message) => page(errors.status, &NoPreview { message }),
        None => Html(fields.preview_html.unwrap_or_default()).into_response(),
    })
}

/// `POST /memories/new`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<MemoryFields>,
) -> Result<Response, PageError> {
    let fields = fields.normalised();
    if !fields.preview.is_empty() {
        let (fields, errors) = fields.previewed(member.words()).await;
        return Ok(form_page(&member, fields, errors));
    }
    let data = match fields.submission(member.preferences()) {
        Ok(data) => data,
        Err(errors) => return Ok(form_page(&member, fields, errors)),
    };
    match tokens::call_tool::<Memory>(&state, &member.person, "submit_memory", &data).await {
        Ok(memory) if fields.is_newly_shared() => Ok(see_other(&format!("/memories/{}/sharing?done=created", memory.id))),
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=created", memory.id))),
        // What this form sent before was stored, though nobody saw the answer; what it says now would be one more.
        Err(CallError::Tool(ToolError::SentBefore)) => {
            let mut errors = FieldErrors::one("", member.words().memory.sent_before);
            errors.status = StatusCode::CONFLICT;
            Ok(form_page(&member, fields.with_new_key(), errors))
        }
        Err(error) => {
            let errors = MemoryFields::errors_of(&error, member.words());
            Ok(form_page(&member, fields, errors))
        }
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
