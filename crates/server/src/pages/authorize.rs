//! The authorization endpoint and the consent page.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use picard_app::{Authorization, Question};
use picard_domain::{Error, Scope};

use crate::pages::OWN_PAGE;
use crate::pages::frame::{Frame, failure, message, page, see_other};
use crate::pages::session::{PageForm, Visitor};
use crate::pages::words::{Words, fill};
use crate::request::method_not_allowed;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage {
    frame: Frame,
    username: String,
    question: Box<Question>,
    scopes: Vec<(&'static str, &'static str)>,
}

/// A scope in words: what it is, and what it means.
fn said(scope: Scope, words: &'static Words) -> (&'static str, &'static str) {
    match scope {
        Scope::Read => (words.read, words.read_means),
        Scope::Write => (words.write, words.write_means),
        Scope::Admin => (words.administer, words.administer_means),
    }
}

/// Asks the person to sign in and to consent, and leads back to the client with a code (RFC 6749 section 4.1, RFC 9207).
#[utoipa::path(get, path = "/authorize", tag = "oauth", operation_id = "authorize", params(
    ("response_type" = String, Query, description = "code", example = "code"),
    ("client_id" = String, Query, description = "The client's id, or the address of its metadata document"),
    ("redirect_uri" = Option<String>, Query, description = "A registered one; may be left out when there is only one"),
    ("scope" = Option<String>, Query, description = "What is asked for", example = "memories:read memories:write"),
    ("state" = Option<String>, Query, description = "Comes back as it was sent"),
    ("code_challenge" = String, Query, description = "SHA-256 of the code verifier in base64url (RFC 7636)", example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method" = String, Query, description = "S256", example = "S256"),
    ("resource" = Option<String>, Query, description = "Whom the tokens are for: the server's URL or that of its MCP endpoint (RFC 8707)"),
    ("prompt" = Option<String>, Query, description = "none, or some of login, select_account, consent, create"),
    ("ui_locales" = Option<String>, Query, description = "Languages of the pages, the best first (BCP 47); without it the browser's", example = "de en")),
    security(()), responses(
    (status = 200, description = "The consent page", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 303, description = "To the sign-in page, or back to the client with code or error, state and iss"),
    (status = 400, description = "An unknown client or redirect URI: a page, never a redirect", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn authorize(
    State(state): State<AppState>,
    method: Method,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    // Who only wants the headers would make a code that nobody sees (AUT-16).
    if method != Method::GET {
        return method_not_allowed().await.with_header(header::ALLOW, "GET").into_response();
    }
    let (language, words) = (visitor.language, visitor.language.words());
    let query = query.unwrap_or_default();
    match state.app.authorize(&query, visitor.session.as_ref(), &visitor.address).await {
        Ok(Authorization::Ask(question)) => ask(&visitor, question),
        Ok(Authorization::Redirect(to)) => see_other(&to),
        Ok(Authorization::SignIn { query, create }) => {
            let next = utf8_percent_encode(&format!("/authorize?{query}"), NON_ALPHANUMERIC).to_string();
            see_other(&format!("{}?next={next}", if create { "/signup" } else { "/login" }))
        }
        Ok(Authorization::Refuse(reason)) => {
            message(StatusCode::BAD_REQUEST, language, words.asks_wrong_heading, fill(words.asks_wrong, reason))
        }
        Err(error) => failure(language, &error),
    }
}

fn ask(visitor: &Visitor, question: Box<Question>) -> Response {
    let words = visitor.language.words();
    let origin = question.client.target.origin.clone();
    let consent = ConsentPage {
        frame: Frame::new(visitor, words.let_in_title),
        username: visitor.session.as_ref().map(|session| session.person.username.clone()).unwrap_or_default(),
        scopes: question.scopes.iter().map(|scope| said(scope, words)).collect(),
        question,
    };
    page(StatusCode::OK, &consent, visitor, Some(&origin))
}

/// Takes the person's answer and leads back to the client.
#[utoipa::path(post, path = "/consent", tag = "oauth", operation_id = "consent", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", example = "request=…&decision=allow&csrf=…"), responses(
    (status = 303, description = "Back to the client with a code, or with access_denied"),
    (status = 403, description = "No form that was shown in this session, or one that was answered already", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn consent(State(state): State<AppState>, form: PageForm) -> Response {
    let language = form.visitor.language;
    let Some(session) = &form.visitor.session else { return failure(language, &Error::Forbidden) };
    let is_allowed = match form.field("decision") {
        "allow" => true,
        "deny" => false,
        _ => {
            let words = language.words();
            return message(StatusCode::BAD_REQUEST, language, words.no_answer_heading, words.no_answer);
        }
    };
    let Ok(question) = form.field("request").parse() else { return failure(language, &Error::Forbidden) };
    match state.app.consent(session, question, is_allowed, &form.visitor.address).await {
        Ok(to) => see_other(&to),
        Err(error) => failure(language, &error),
    }
}

/// `GET /consent`: somebody went back or typed the address.
pub(crate) async fn no_question() -> Response {
    see_other(OWN_PAGE)
}
