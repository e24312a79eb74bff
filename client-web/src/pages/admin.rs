//! Administering the Picard server: the way in, and its figures.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use picard_crypto::SecretString;
use serde::Deserialize;

use super::field_errors::FieldErrors;
use super::home::Done;
use crate::accounts::folded;
use crate::address::ClientAddress;
use crate::administration;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::limits::{self, Decision, Try};
use crate::server_client::{Administrator, Call, Deployment, ToolError};
use crate::state::AppState;
use crate::tokens::CallError;
use crate::visitor::Member;
use crate::words::fill;

/// Who wants to administer the server.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    username: String,
    password: String,
}

#[derive(Template)]
#[template(path = "admin_open.html")]
struct OpenPage {
    frame: Frame,
    username: String,
    errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "admin.html")]
struct FiguresPage {
    frame: Frame,
    signed_in: String,
    figures: Deployment,
}

fn figures_call() -> Call {
    Call::get("/api/admin/stats", &[])
}

/// `GET /admin`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(done): Query<Done>) -> Result<Response, PageError> {
    let words = &member.words().administration;
    let frame = Frame::new(&member.visitor, words.title, Section::None).with_notice(done.done.as_deref());
    let Some(who) = administration::administrator(&state, &member).await? else {
        let template = OpenPage { frame, username: String::new(), errors: FieldErrors::none() };
        return Ok(page(StatusCode::OK, &template));
    };
    let figures = administration::call::<Deployment>(&state, &member, &figures_call()).await??;
    let signed_in = fill(words.signed_in, who.name());
    Ok(page(StatusCode::OK, &FiguresPage { frame, signed_in, figures }))
}

/// `POST /admin`: tries are counted here before the server counts them, because it knows only one address of all of us.
pub(crate) async fn open(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let permit = match limits::ask(&state.pool, Try::Administration, &folded(&member.person.username), address).await? {
        Decision::GoOn(permit) => permit,
        Decision::Wait(seconds) => {
            let explanation = Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManySignIns(seconds));
            return Err(explanation.retry_after(seconds).into());
        }
    };
    let who = Administrator::new(fields.username.trim(), SecretString::from(fields.password.as_str()));
    let errors = match state.server.administer::<Deployment>(&who, &figures_call()).await {
        Ok(_) => {
            permit.take_back(&state.pool).await?;
            administration::open(&state, &member, &who).await?;
            tracing::warn!(event = "administration_opened", user.id = %member.person.id, client.address = %address, "a person administers the server");
            return Ok(see_other("/admin"));
        }
        Err(ToolError::InvalidToken | ToolError::MissingScope | ToolError::Forbidden) => {
            tracing::warn!(event = "administration_refused", user.id = %member.person.id, client.address = %address, "no administrator");
            FieldErrors::one("username", member.words().administration.wrong)
        }
        Err(error) => FieldErrors::of_call(&CallError::from(error), &[], member.words()),
    };
    let frame = Frame::new(&member.visitor, member.words().administration.title, Section::None);
    Ok(page(errors.status, &OpenPage { frame, username: fields.username, errors }))
}

/// `POST /admin/close`
pub(crate) async fn close(MemberForm { member, .. }: MemberForm<Fields>) -> Result<Response, PageError> {
    administration::close(&member).await?;
    Ok(see_other("/admin?done=administration-closed"))
}
