//! New accounts of this application.

use std::net::SocketAddr;

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use http::StatusCode;
use picard_crypto::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::field_errors::FieldErrors;
use crate::accounts::{Email, Username, check_new_password};
use crate::db::people::{self, NewPerson};
use crate::error::{Explanation, PageError, see_other};
use crate::form::VisitorForm;
use crate::frame::{Frame, Section, page};
use crate::limits::{self, Decision, Try};
use crate::state::AppState;
use crate::visitor::Visitor;

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
pub(crate) async fn show(mut visitor: Visitor) -> Result<Response, PageError> {
    if visitor.person.is_some() {
        return Ok(see_other("/memories"));
    }
    visitor.prepare_form().await?;
    Ok(form_page(&visitor, Fields::default(), FieldErrors::none()))
}

/// `POST /register`
pub(crate) async fn submit(
    State(state): State<AppState>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    VisitorForm { visitor, fields }: VisitorForm<Fields>,
) -> Result<Response, PageError> {
    let (username, email) = match check(&fields) {
        Ok(names) => names,
        Err(errors) => return Ok(form_page(&visitor, fields, errors)),
    };
    // Whether a name is taken cannot be hidden, so asking is limited (LOG-06).
    let permit = match limits::ask(&state.pool, Try::Registration, "", address.ip()).await? {
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
        // Which of the two is not said.
        let message = "This username or e-mail address is taken. Please choose another one.";
        return Ok(form_page(&visitor, fields, FieldErrors::one("username", message)));
    }
    permit.take_back(&state.pool).await?;
    visitor.sign_in(id).await?;
    tracing::info!(user.id = %id, "a person registered");
    Ok(see_other("/connect"))
}

fn check(fields: &Fields) -> Result<(Username, Option<Email>), FieldErrors> {
    let mut errors = FieldErrors::none();
    let username = Username::parse(&fields.username).map_err(|message| errors.add("username", message));
    let email = Email::parse(&fields.email).map_err(|message| errors.add("email", message));
    if let Err(message) = check_new_password(&fields.password, &fields.username) {
        errors.add("password", message);
    }
    match (username, email) {
        (Ok(username), Ok(email)) if errors.is_empty() => Ok((username, email)),
        _ => Err(errors),
    }
}

fn too_many(seconds: u64) -> PageError {
    let message = format!("Too many names were tried from your address. Please wait {seconds} seconds.");
    let mut explanation = Explanation::new(StatusCode::TOO_MANY_REQUESTS, "A little slower, please", message);
    explanation.retry_after = Some(seconds);
    explanation.into()
}

fn form_page(visitor: &Visitor, fields: Fields, errors: FieldErrors) -> Response {
    let frame = Frame::new(visitor, "Create an account", Section::Register);
    let status = errors.status;
    page(status, &RegisterPage { frame, username: fields.username, email: fields.email, errors })
}
