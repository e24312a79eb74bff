//! What a person has given to applications, and how they take it back.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use picard_app::Connection;
use picard_domain::{Error, Scope};
use serde::Deserialize;

use crate::pages::frame::{Frame, failure, page, see_other};
use crate::pages::session::{PageForm, Visitor};
use crate::pages::words::{Words, fill};
use crate::pages::{OWN_PAGE, read_wish};
use crate::state::AppState;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Done {
    #[serde(default)]
    done: String,
}

struct Row {
    connection: Connection,
    may: String,
    since: String,
    last_used: String,
    end_label: String,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    frame: Frame,
    rows: Vec<Row>,
    notice: Option<&'static str>,
}

/// `2026-01-31 17:05`, in UTC.
fn minute(moment: picard_domain::Timestamp) -> String {
    moment.to_string().replacen('T', " ", 1).chars().take(16).collect()
}

fn row(connection: Connection, words: &Words) -> Row {
    let word = |scope: Scope| match scope {
        Scope::Read => words.may_read,
        Scope::Write => words.may_write,
        Scope::Admin => words.may_administer,
    };
    let may: Vec<&str> = connection.scopes.iter().map(word).collect();
    Row {
        may: may.join(", "),
        since: minute(connection.created_at),
        last_used: minute(connection.last_used_at),
        end_label: fill(words.end_named, &connection.client_name),
        connection,
    }
}

/// Shows every connection of the person who is signed in.
#[utoipa::path(get, path = "/connections", tag = "pages", operation_id = "connections_page", security(()), responses(
    (status = 200, description = "The page", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 303, description = "Nobody is signed in: to the sign-in page")))]
pub(crate) async fn connections_page(State(state): State<AppState>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let Some(session) = &visitor.session else { return see_other("/login") };
    let words = visitor.language.words();
    let connections = match state.app.connections_of(session).await {
        Ok(connections) => connections,
        Err(error) => return failure(visitor.language, &error),
    };
    let wish: Done = read_wish(query.as_deref());
    let notice = match wish.done.as_str() {
        "ended" => Some(words.ended),
        _ => None,
    };
    let rows = connections.into_iter().map(|connection| row(connection, words)).collect();
    let shown = ConnectionsPage { frame: Frame::new(&visitor, words.connections), rows, notice };
    page(StatusCode::OK, &shown, &visitor, None)
}

/// Ends one of them, at once.
#[utoipa::path(post, path = "/connections", tag = "pages", operation_id = "end_connection_form", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", example = "client_id=…&csrf=…"), responses(
    (status = 303, description = "Ended: back to the page"),
    (status = 403, description = "No form that was shown to this browser", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn end_connection_form(State(state): State<AppState>, form: PageForm) -> Response {
    let language = form.visitor.language;
    let Some(session) = &form.visitor.session else { return failure(language, &Error::Forbidden) };
    let Ok(client_id) = form.field("client_id").parse() else { return failure(language, &Error::NotFound) };
    match state.app.disconnect_from(session, client_id).await {
        // Ended twice is ended.
        Ok(()) | Err(Error::NotFound) => see_other(&format!("{OWN_PAGE}?done=ended")),
        Err(error) => failure(language, &error),
    }
}
