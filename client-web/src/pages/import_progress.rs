//! How far an import has come.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::field_errors::{FieldName, translated};
use super::memory::id_in;
use crate::error::PageError;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, FieldMessage, ImportProgress, RowError, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::{Words, fill};

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

/// `GET /import/{id}`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Path(id): Path<String>) -> Result<Response, PageError> {
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
    let template = ProgressPage {
        frame: Frame::new(&member.visitor, words.progress, Section::Transfer),
        path: format!("/import/{id}"),
        status,
        is_over,
        figures: fill(words.figures, progress.done),
        rows: progress.errors.iter().map(|error| row(error, member.words())).collect(),
        progress,
    };
    Ok(page(StatusCode::OK, &template))
}

fn row(error: &RowError, words: &Words) -> RowView {
    let own = &words.transfer;
    let memory = &words.memory;
    let names = [
        FieldName::new("text", "", memory.text_label, memory.text_rule),
        FieldName::new("tags", "", memory.tags_label, memory.tags_rule),
        FieldName::new("category", "", memory.category_label, memory.category_rule),
        FieldName::new("permission", "", memory.permission_label, memory.permission_rule),
        FieldName::new("expiration_date", "", memory.expires_label, own.date_rule),
        FieldName::new("created_at", "", own.created_label, own.date_rule),
        FieldName::new("shared_with", "", memory.shared_with_label, memory.shared_with_rule),
        FieldName::new("", "", own.row_label, rule_of_row(&error.message, words)),
    ];
    let message = FieldMessage { field: error.field.clone(), message: error.message.clone() };
    RowView { heading: fill(own.row, error.row), message: translated(&message, &names, words).message }
}

/// What is wrong with a row as a whole; empty in the server's language.
fn rule_of_row(message: &str, words: &Words) -> &'static str {
    let words = &words.transfer;
    match message {
        message if message.starts_with("is no JSON") => words.json_rule,
        message if message.starts_with("is no CSV") => words.csv_rule,
        message if message.starts_with("has ") => words.cells_rule,
        message if message.starts_with("is larger") || message.starts_with("is longer") => words.large_rule,
        message if message.starts_with("ends before") => words.cut_rule,
        _ => words.row_rule,
    }
}

#[cfg(test)]
mod tests {
    use super::row;
    use crate::server_client::RowError;
    use crate::words::Language;

    #[test]
    fn what_is_wrong_with_a_row_is_said_in_the_readers_language() {
        let (english, german) = (Language::English.words(), Language::German.words());
        let wrong = |field: &str, message: &str| RowError { row: 2, field: field.to_owned(), message: message.to_owned() };

        assert_eq!(row(&wrong("text", "is missing"), english).message, "The text: is missing.");
        assert_eq!(
            row(&wrong("tags[3]", "must have 1 to 64 characters"), english).message,
            "Each tag must have 1 to 64 characters."
        );
        for field in
            ["text", "tags[0]", "category", "permission", "expiration_date", "created_at", "shared_with.groups", "", "color"]
        {
            for message in
                ["is no JSON: x", "is no CSV: x", "has 3 cells", "is longer than 32 MiB", "ends before its array", "must be x"]
            {
                let shown = row(&wrong(field, message), german).message;
                assert!(!shown.contains(message) && shown.ends_with('.'), "{field}: {shown}");
            }
        }
    }
}
