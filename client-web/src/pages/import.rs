//! Taking memories in from a file or a text: passed on to the server while it comes, at any size.

use std::io;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::multipart::Field;
use axum::response::Response;
use futures_util::stream;
use http_body::Frame as BodyFrame;
use http_body_util::StreamBody;
use serde_json::Value;
use tokio::sync::mpsc;

use super::field_errors::FieldErrors;
use crate::error::{Explanation, PageError, see_other};
use crate::form::{MemberParts, SMALL, next_part, part_text};
use crate::frame::{Frame, Section, page};
use crate::server_client::{ImportStarted, Outage, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// A text is in a form as a whole, so it must fit there; a file need not.
const LARGEST_TEXT: usize = 16 * 1024 * 1024;
/// Pieces of a file that wait for the server.
const WAITING: usize = 8;

/// A text with memories, and what it is.
#[derive(Default)]
struct Fields {
    text: String,
    /// `ndjson`, `csv` or `json`; empty when its name or its beginning shall tell.
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

/// `GET /import`
pub(crate) async fn show(member: Member) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Err(PageError::Elsewhere("/connect".to_owned()));
    }
    Ok(form_page(&member, Fields::default(), FieldErrors::none()))
}

/// `POST /import`: what is to be known of the file comes before it.
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberParts { member, mut parts }: MemberParts,
) -> Result<Response, PageError> {
    let mut fields = Fields::default();
    while let Some(part) = next_part(&mut parts).await? {
        match part.name().unwrap_or_default() {
            "format" => fields.format = part_text(part, SMALL).await?,
            "strict" => fields.strict = part_text(part, SMALL).await?,
            "file" if part.file_name().is_some_and(|name| !name.is_empty()) => {
                let outcome = send_file(&state, &member, &fields, part).await;
                return Ok(answer(&member, fields, "file", outcome));
            }
            "text" => match part_text(part, LARGEST_TEXT).await {
                Ok(text) => fields.text = text,
                Err(error) => return unreadable(&member, fields, error),
            },
            _ => {}
        }
    }
    if fields.text.trim().is_empty() {
        let errors = FieldErrors::one("text", member.words().transfer.empty);
        return Ok(form_page(&member, fields, errors));
    }
    let kind = kind(format_of_text(&fields.format, &fields.text));
    let is_strict = !fields.strict.is_empty();
    let outcome = tokens::import(&state, &member.person, kind, is_strict, fields.text.clone().into()).await;
    Ok(answer(&member, fields, "text", outcome))
}

/// A text that is too long for a form, or no text.
fn unreadable(member: &Member, fields: Fields, error: PageError) -> Result<Response, PageError> {
    let words = &member.words().transfer;
    let PageError::Explained(explanation) = error else { return Err(error) };
    let mut errors = match explanation.status {
        http::StatusCode::PAYLOAD_TOO_LARGE => FieldErrors::one("text", words.text_large),
        _ => FieldErrors::one("text", words.unreadable),
    };
    errors.status = explanation.status;
    Ok(form_page(member, fields, errors))
}

fn answer(member: &Member, fields: Fields, field: &'static str, outcome: Result<ImportStarted, CallError>) -> Response {
    let words = &member.words().transfer;
    let errors = match outcome {
        Ok(started) => return see_other(&format!("/import/{}", started.import_id)),
        Err(CallError::Tool(ToolError::Invalid(_))) => FieldErrors::one(field, words.rejected),
        Err(error @ CallError::Tool(ToolError::TooLarge)) => {
            let mut errors = FieldErrors::one(field, words.file_large);
            errors.status = Explanation::from(&error).status;
            errors
        }
        Err(error) => FieldErrors::of_call(&error, &[], member.words()),
    };
    form_page(member, fields, errors)
}

/// Passes a file on while it comes. Where it breaks off, so does the import, and the server stores nothing.
async fn send_file(state: &AppState, member: &Member, fields: &Fields, mut file: Field<'_>) -> Result<ImportStarted, CallError> {
    let kind = kind(format_of_file(&fields.format, file.file_name().unwrap_or_default()));
    let (sender, receiver) = mpsc::channel::<io::Result<BodyFrame<Bytes>>>(WAITING);
    let pieces = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
    let body = reqwest::Body::wrap(StreamBody::new(pieces));
    let reading = async move {
        let mut is_wanted = true;
        loop {
            match file.chunk().await {
                // Read to the end even when the server has said no: a browser does not look for an answer before.
                Ok(Some(piece)) => is_wanted = is_wanted && sender.send(Ok(BodyFrame::data(piece))).await.is_ok(),
                Ok(None) => return true,
                Err(error) => {
                    let _ = sender.send(Err(io::Error::other(error))).await;
                    return false;
                }
            }
        }
    };
    let sending = tokens::import(state, &member.person, kind, !fields.strict.is_empty(), body);
    match tokio::join!(reading, sending) {
        (true, outcome) => outcome,
        (false, _) => Err(ToolError::from(Outage::Away(None)).into()),
    }
}

fn kind(format: &str) -> &'static str {
    match format {
        "csv" => "text/csv",
        "json" => "application/json",
        _ => "application/x-ndjson",
    }
}

/// What was chosen; if nothing was, what the name of the file says.
fn format_of_file<'a>(chosen: &'a str, name: &str) -> &'a str {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match (chosen, ending.as_str()) {
        ("", "csv") => "csv",
        ("", "json") => "json",
        ("", _) => "ndjson",
        (chosen, _) => chosen,
    }
}

/// What was chosen; if nothing was, what the text begins with.
fn format_of_text<'a>(chosen: &'a str, text: &str) -> &'a str {
    let first_line = text.trim_start().lines().next().unwrap_or_default();
    match (chosen, first_line.chars().next()) {
        ("", Some('[')) => "json",
        ("", Some('{')) if serde_json::from_str::<Value>(first_line).is_err() => "json",
        ("", Some('{')) => "ndjson",
        ("", _) => "csv",
        (chosen, _) => chosen,
    }
}

fn form_page(member: &Member, fields: Fields, errors: FieldErrors) -> Response {
    let frame = Frame::new(&member.visitor, member.words().transfer.title, Section::Transfer);
    page(errors.status, &ImportPage { frame, fields, errors })
}

#[cfg(test)]
mod tests {
    use super::{format_of_file, format_of_text};

    #[test]
    fn what_was_chosen_counts_and_otherwise_the_name_or_the_beginning() {
        assert_eq!((format_of_file("csv", "a.json"), format_of_file("ndjson", "a.csv")), ("csv", "ndjson"));
        assert_eq!(
            (format_of_file("", "a.JSON"), format_of_file("", "a.csv"), format_of_file("", "a")),
            ("json", "csv", "ndjson")
        );
        assert_eq!((format_of_text("csv", "[1]"), format_of_text("", " [1]")), ("csv", "json"));
        assert_eq!((format_of_text("", "{\"a\": 1}\n{}"), format_of_text("", "{\n\"a\": 1}")), ("ndjson", "json"));
        assert_eq!(format_of_text("", "text,tags\ntea,"), "csv");
    }
}
