//! What this application may do at the Picard server, and how to end that.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::home::Done;
use crate::connecting;
use crate::db::connections::{self, Flow};
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::moments;
use crate::server_client::Call;
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// The form has nothing but its token.
#[derive(Deserialize)]
pub(crate) struct Fields {}

struct Summary {
    /// Whether the person made it, at the server.
    is_by_code: bool,
    may_read: bool,
    may_write: bool,
    connected_at: String,
    connected_at_machine: String,
    refreshed_at: String,
    refreshed_at_machine: String,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    frame: Frame,
    username: String,
    summary: Option<Summary>,
    /// Heading and message of what keeps the connection from being used.
    problem: Option<(&'static str, String)>,
}

/// `GET /connections`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(done): Query<Done>) -> Result<Response, PageError> {
    let summary = connections::summary(&state.pool, member.person.id).await?.map(|row| Summary {
        is_by_code: row.flow == Flow::AuthorizationCode.as_str(),
        may_read: row.scope.split(' ').any(|word| word == "memories:read"),
        may_write: row.scope.split(' ').any(|word| word == "memories:write"),
        connected_at: moments::readable(row.connected_at, member.preferences()),
        connected_at_machine: moments::machine(row.connected_at),
        refreshed_at: moments::readable(row.refreshed_at, member.preferences()),
        refreshed_at_machine: moments::machine(row.refreshed_at),
    });
    let problem = match &summary {
        Some(_) => problem(&state, &member).await,
        None => None,
    };
    let frame = Frame::new(&member.visitor, member.words().connection.title, Section::Connections);
    let frame = frame.with_notice(done.done.as_deref());
    Ok(page(StatusCode::OK, &ConnectionsPage { frame, username: member.person.username, summary, problem }))
}

/// Tries the connection: one that was ended at the server would look as good as any otherwise.
async fn problem(state: &AppState, member: &Member) -> Option<(&'static str, String)> {
    let tried = tokens::call::<IgnoredAny>(state, &member.person, &Call::get("/api/connections", &[])).await;
    let (heading, message) = Explanation::from(&tried.err()?).reason.said(member.words());
    Some((heading, message))
}

/// `POST /connections/disconnect`
pub(crate) async fn disconnect(
    State(state): State<AppState>,
    MemberForm { member, .. }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let is_revoked = connecting::disconnect(&state, &member.person).await?;
    tracing::info!(event = "disconnected", user.id = %member.person.id, is_revoked, "a person disconnected");
    Ok(see_other(if is_revoked { "/connections?done=disconnected" } else { "/connections?done=disconnecting" }))
}
