//! Making an account for oneself.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use picard_app::{AskingParty, SignUp, SignUpError};
use picard_domain::{Error, FieldError};

use crate::pages::frame::{Frame, failure, message, page, see_other};
use crate::pages::session::{PageForm, Visitor};
use crate::pages::sign_in::{Wish, asking_party, end_session, with_next};
use crate::pages::words::{Language, Words};
use crate::pages::{own_path, read_wish};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "signup.html")]
struct SignUpPage {
    frame: Frame,
    party: Option<AskingParty>,
    next: String,
    username: String,
    email: String,
    errors: Vec<Mistake>,
}

impl SignUpPage {
    fn login_path(&self) -> String {
        with_next("/login", &self.next)
    }

    /// What is wrong with a field, if anything is.
    fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}

fn closed(language: Language) -> Response {
    let words = language.words();
    message(StatusCode::FORBIDDEN, language, words.closed_heading, words.closed)
}

/// Something that is wrong with a field, as the page says it.
struct Mistake {
    field: String,
    label: &'static str,
    message: String,
}

impl Mistake {
    fn new(error: FieldError, words: &Words) -> Self {
        let (label, rule) = match error.field.as_str() {
            "username" => (words.username, words.username_rule),
            "email" => (words.email, words.email_rule),
            _ => (words.password, words.password_rule),
        };
        let message = if rule.is_empty() { error.message } else { rule.to_owned() };
        Self { field: error.field, label, message }
    }
}

/// Shows the sign-up page.
#[utoipa::path(get, path = "/signup", tag = "pages", operation_id = "signup_page", security(()), params(
    ("next" = Option<String>, Query, description = "Where to go afterwards: a path of the authorization endpoint")), responses(
    (status = 200, description = "The page", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 403, description = "Sign-ups are off", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn signup_page(State(state): State<AppState>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    if !state.app.is_sign_up_open() {
        return closed(visitor.language);
    }
    let wish: Wish = read_wish(query.as_deref());
    let next = own_path(&wish.next).to_owned();
    show(&state, &visitor, StatusCode::OK, (String::new(), String::new()), next, Vec::new()).await
}

async fn show(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    (username, email): (String, String),
    next: String,
    errors: Vec<Mistake>,
) -> Response {
    let party = match asking_party(state, &next).await {
        Ok(party) => party,
        Err(error) => return failure(visitor.language, &error),
    };
    let origin = party.as_ref().map(|party| party.target.origin.clone());
    let frame = Frame::new(visitor, visitor.language.words().create_account);
    let signup = SignUpPage { frame, party, next, username, email, errors };
    page(status, &signup, visitor, origin.as_deref())
}

/// Makes the account and signs its person in.
#[utoipa::path(post, path = "/signup", tag = "pages", operation_id = "signup", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", example = "username=ada&email=&password=…&csrf=…"), responses(
    (status = 303, description = "Signed in: on to where the person was going"),
    (status = 403, description = "No form that was shown to this browser, or sign-ups are off", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 422, description = "Something is wrong with the form", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 429, description = "Too many tries", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn signup(State(state): State<AppState>, form: PageForm) -> Response {
    let username = form.field("username").trim().to_owned();
    let email = form.field("email").trim().to_owned();
    let next = own_path(form.field("next")).to_owned();
    let new = SignUp {
        username: username.clone(),
        email: Some(email.clone()).filter(|email| !email.is_empty()),
        password: form.field("password").into(),
    };
    let (language, words) = (form.visitor.language, form.visitor.language.words());
    let errors = match state.app.sign_up_and_in(new, &form.visitor.address).await {
        Ok(token) => {
            if let Err(error) = end_session(&state, &form.visitor).await {
                return failure(language, &error);
            }
            let mut response = see_other(&next);
            form.visitor.start(&mut response, &token);
            return response;
        }
        Err(SignUpError::Disabled) => return closed(language),
        Err(SignUpError::Other(Error::Invalid(errors))) => errors.into_iter().map(|error| Mistake::new(error, words)).collect(),
        Err(SignUpError::Other(Error::Conflict(_))) => {
            vec![Mistake { field: "username".to_owned(), label: words.username, message: words.taken.to_owned() }]
        }
        Err(SignUpError::Other(error)) => return failure(language, &error),
    };
    show(&state, &form.visitor, StatusCode::UNPROCESSABLE_ENTITY, (username, email), next, errors).await
}
