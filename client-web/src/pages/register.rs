//! New accounts of this application.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use picard_crypto::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::field_errors::FieldErrors;
use crate::accounts::{Email, Username, check_new_password};
use crate::address::ClientAddress;
use crate::db::people::{self, NewPerson};
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::VisitorForm;
use crate::frame::{Frame, Section, page};
use crate::limits::{self, Decision, Try};
use crate::state::AppState;
use crate::visitor::Visitor;
use crate::words::Words;

/// What the form asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    username: String,
    email: String,
    password: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    frame: Frame,
    username: String,
    email: String,
    errors: FieldErrors,
}

/// `GET /register`
pub(crate) async fn show(State(state): State<AppState>, mut visitor: Visitor) -> Result<Response, PageError> {
    if visitor.person.is_some() {
        return Ok(see_other("/memories"));
    }
    visitor.prepare_form(&state);
    Ok(visitor.with_form_cookie(form_page(&visitor, Fields::default(), FieldErrors::none())))
}

/// `POST /register`
pub(crate) async fn submit(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    VisitorForm { visitor, fields }: VisitorForm<Fields>,
) -> Result<Response, PageError> {
    let (username, email) = match check(&fields, visitor.words()) {
        Ok(names) => names,
        Err(errors) => return Ok(form_page(&visitor, fields, errors)),
    };
    // Whether a name is taken cannot be hidden, so asking is limited (LOG-06).
    let permit = match limits::ask(&state.pool, Try::Registration, "", address).await? {
        Decision::GoOn(permit) => permit,
        Decision::Wait(seconds) => return Err(too_many(seconds)),
    };
    let password_hash = state.passwords.hash(SecretString::from(fields.password.as_str())).await?;
    let id = Uuid::new_v4();
    let person = NewPerson {
        id,
        username: &username.name,
        username_key: &username.key,
        email: email.as_ref().map(|email| email.address.as_str()),
        email_key: email.as_ref().map(|email| email.key.as_str()),
        password_hash: &password_hash,
    };
    if !people::insert(&state.pool, &person).await? {
        tracing::warn!(event = "registration_refused", client.address = %address, "a name or an address was taken");
        // Which of the two is not said.
        let errors = FieldErrors::one("username", visitor.words().account.taken);
        return Ok(form_page(&visitor, fields, errors));
    }
    permit.take_back(&state.pool).await?;
    visitor.sign_in(id).await?;
    tracing::info!(event = "registered", user.id = %id, client.address = %address, "a person registered");
    Ok(see_other("/connect"))
}

fn check(fields: &Fields, words: &Words) -> Result<(Username, Option<Email>), FieldErrors> {
    let mut errors = FieldErrors::none();
    let username = Username::parse(&fields.username).map_err(|problem| errors.add("username", problem.said(words)));
    let email = Email::parse(&fields.email).map_err(|problem| errors.add("email", problem.said(words)));
    if let Err(problem) = check_new_password(&fields.password, &[&fields.username, &fields.email]) {
        errors.add("password", problem.said(words));
    }
    match (username, email) {
        (Ok(username), Ok(email)) if errors.is_empty() => Ok((username, email)),
        _ => Err(errors),
    }
}

fn too_many(seconds: u64) -> PageError {
    Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManyNames(seconds)).retry_after(seconds).into()
}

fn form_page(visitor: &Visitor, fields: Fields, errors: FieldErrors) -> Response {
    let frame = Frame::new(visitor, visitor.words().account.create, Section::Register);
    let status = errors.status;
    page(status, &RegisterPage { frame, username: fields.username, email: fields.email, errors })
}
