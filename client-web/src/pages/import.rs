//! Taking memories in from a file or a text, and how far that has come.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::field_errors::FieldErrors;
use super::memory::id_in;
use crate::error::{PageError, see_other};
use crate::form::{MemberForm, MemberUpload};
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, ImportProgress, ImportStarted, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::fill;

/// A text with memories, and what it is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    text: String,
    format: String,
    /// Not empty when a single wrong row means that nothing is stored.
    strict: String,
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    fields: Fields,
    errors: FieldErrors,
}

struct RowView {
    heading: String,
    message: String,
}

#[derive(Template)]
#[template(path = "import_progress.html")]
struct ProgressPage {
    frame: Frame,
    path: String,
    status: &'static str,
    is_over: bool,
    figures: String,
    progress: ImportProgress,
    rows: Vec<RowView>,
}

/// `GET /import`
pub(crate) async fn show(member: Member) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Err(PageError::Elsewhere("/connect".to_owned()));
    }
    Ok(form_page(&member, Fields::default(), FieldErrors::none()))
}

/// `POST /import`: a text out of the form.
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    if fields.text.trim().is_empty() {
        let errors = FieldErrors::one("text", member.words().transfer.empty);
        return Ok(form_page(&member, fields, errors));
    }
    match start(&state, &member, &fields.format, !fields.strict.is_empty(), fields.text.clone().into_bytes()).await {
        Ok(started) => Ok(see_other(&format!("/import/{}", started.import_id))),
        Err(CallError::Tool(ToolError::Invalid(_))) => {
            let errors = FieldErrors::one("text", member.words().transfer.rejected);
            Ok(form_page(&member, fields, errors))
        }
        Err(error) => {
            let errors = FieldErrors::of_call(&error, &[], member.words());
            Ok(form_page(&member, fields, errors))
        }
    }
}

/// `POST /import/file?format=&strict=`: a file as it is, sent by the page's script.
pub(crate) async fn submit_file(
    State(state): State<AppState>,
    MemberUpload { member, fields, body }: MemberUpload<Fields>,
) -> Result<Response, PageError> {
    let started = start(&state, &member, &fields.format, !fields.strict.is_empty(), body.into()).await?;
    Ok(see_other(&format!("/import/{}", started.import_id)))
}

async fn start(
    state: &AppState,
    member: &Member,
    format: &str,
    is_strict: bool,
    body: Vec<u8>,
) -> Result<ImportStarted, CallError> {
    let kind = match format {
        "csv" => "text/csv",
        "json" => "application/json",
        _ => "application/x-ndjson",
    };
    let path = if is_strict { "/api/memories/import?on_error=stop" } else { "/api/memories/import" };
    tokens::call(state, &member.person, &Call::upload(path, kind, body)).await
}

fn form_page(member: &Member, fields: Fields, errors: FieldErrors) -> Response {
    let frame = Frame::new(&member.visitor, member.words().transfer.title, Section::Transfer);
    page(errors.status, &ImportPage { frame, fields, errors })
}

/// `GET /import/{id}`
pub(crate) async fn progress(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let call = Call::get(&format!("/api/imports/{id}"), &[]);
    let progress: ImportProgress = match tokens::call(&state, &member.person, &call).await {
        Err(CallError::Tool(ToolError::NotFound)) => return Err(PageError::not_found()),
        found => found?,
    };
    let words = &member.words().transfer;
    let (status, is_over) = match progress.status.as_str() {
        "queued" => (words.queued, false),
        "running" => (words.running, false),
        "failed" => (words.failed, true),
        _ => (words.done, true),
    };
    let rows = progress.errors.iter().map(|error| RowView {
        heading: fill(words.row, error.row),
        message: format!("{} {}", error.field, error.message).trim().to_owned(),
    });
    let rows = rows.collect();
    let template = ProgressPage {
        frame: Frame::new(&member.visitor, words.progress, Section::Transfer),
        path: format!("/import/{id}"),
        status,
        is_over,
        figures: fill(words.figures, progress.done),
        progress,
        rows,
    };
    Ok(page(StatusCode::OK, &template))
}
