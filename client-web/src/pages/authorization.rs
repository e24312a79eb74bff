//! Connecting with an account that somebody already has at the Picard server.

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::connect::wait;
use crate::authorization::{self, Answer, AuthorizationError};
use crate::connecting::Access;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::state::AppState;
use crate::visitor::Visitor;

/// What the person wants to allow: `read`, or anything else for reading and writing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    access: String,
}

/// `POST /connect/authorize`
pub(crate) async fn begin(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    if let Some(problem) = wait(&state, &member.person).await? {
        return Err(problem.into());
    }
    let access = if fields.access == "read" { Access::Read } else { Access::ReadAndWrite };
    let csrf = member.visitor.csrf.as_deref().unwrap_or_default();
    match authorization::begin(&state, &member.person, (csrf, member.words().code), access).await {
        Ok(address) => Ok(see_other(address.as_str())),
        Err(error) => Err(Explanation::from(&error).into()),
    }
}

/// `GET /oauth/callback`: the state protects it, which only this session's browser knows.
pub(crate) async fn callback(
    State(state): State<AppState>,
    visitor: Visitor,
    answer: Result<Query<Answer>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, PageError> {
    let answer = answer.map(|Query(answer)| answer).unwrap_or_default();
    let (Some(person), Some(csrf)) = (&visitor.person, visitor.csrf.as_deref()) else {
        return Err(explained(&AuthorizationError::Unknown));
    };
    if let Some(problem) = wait(&state, person).await? {
        return Err(problem.about_connection().into());
    }
    match authorization::complete(&state, person, csrf, &answer).await {
        Ok(()) => {
            tracing::info!(event = "connected", user.id = %person.id, flow = "authorization_code", "a person connected");
            Ok(see_other("/memories?done=connected"))
        }
        Err(error) => {
            tracing::warn!(event = "connection_refused", %error, user.id = %person.id, "an authorization did not come to its end");
            Err(explained(&error))
        }
    }
}

fn explained(error: &AuthorizationError) -> PageError {
    let reason = match error {
        AuthorizationError::Unknown | AuthorizationError::Issuer => Reason::StrangeAnswer,
        AuthorizationError::Denied => Reason::NotAllowed,
        AuthorizationError::Refused => Reason::NotAuthorized,
        AuthorizationError::Connection(error) => return Explanation::from(error).into(),
    };
    Explanation::new(StatusCode::BAD_REQUEST, reason).about_connection().into()
}
