//! Connecting to the Picard server by the user-token flow.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use crate::connecting::{self, Access};
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::limits::{self, Decision, Try};
use crate::state::AppState;
use crate::visitor::{Member, Person};

/// What the person allows: `read`, or anything else for reading and writing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    access: String,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct ConnectPage {
    frame: Frame,
    username: String,
    has_email: bool,
    is_registered: bool,
    /// Whether signing in at the server is what the person does.
    is_by_code: bool,
    problem: Option<(&'static str, String)>,
}

/// `GET /connect`
pub(crate) async fn show(State(state): State<AppState>, member: Member) -> Response {
    connect_page(&state, &member, None)
}

/// `POST /connect`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    if let Some(problem) = wait(&state, &member.person).await? {
        return Ok(connect_page(&state, &member, Some(problem)));
    }
    let access = if fields.access == "read" { Access::Read } else { Access::ReadAndWrite };
    match connecting::connect(&state, &member.person, access).await {
        Ok(()) => {
            tracing::info!(event = "connected", user.id = %member.person.id, flow = "user_token", "a person connected");
            Ok(see_other("/memories?done=connected"))
        }
        Err(error) => {
            tracing::warn!(event = "connection_refused", %error, user.id = %member.person.id, "a person could not be connected");
            Ok(connect_page(&state, &member, Some(Explanation::from(&error))))
        }
    }
}

/// Counts that the person has the server hand out tokens; a problem when that was often (the server counts all people
/// of this application together).
pub(super) async fn wait(state: &AppState, person: &Person) -> Result<Option<Explanation>, PageError> {
    match limits::ask_person(&state.pool, Try::Connection, person.id).await? {
        Decision::GoOn(_) => Ok(None),
        Decision::Wait(seconds) => {
            let problem = Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManyConnections(seconds));
            Ok(Some(problem.retry_after(seconds)))
        }
    }
}

fn connect_page(state: &AppState, member: &Member, problem: Option<Explanation>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let retry_after = problem.as_ref().and_then(|problem| problem.retry_after);
    let template = ConnectPage {
        frame: Frame::new(&member.visitor, member.words().connection.connect_title, Section::Connections),
        username: member.person.username.clone(),
        has_email: member.person.email.is_some(),
        is_registered: state.client.is_some(),
        is_by_code: match &member.person.connection {
            Some(connection) => connection.is_by_code,
            None => member.person.has_proved_account,
        },
        problem: problem.map(|problem| problem.reason.said(member.words())),
    };
    let mut response = page(status, &template);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
