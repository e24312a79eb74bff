//! What is around every page, and the headers that keep it safe (LOG-04).

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_domain::Error;

use crate::pages::assets;
use crate::pages::session::Visitor;
use crate::pages::words::{Language, Words, fill};

/// What the base template needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) username: Option<String>,
    pub(crate) csrf: String,
    pub(crate) stylesheet: String,
    pub(crate) icon: String,
    pub(crate) words: &'static Words,
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, title: impl Into<String>) -> Self {
        Self {
            username: visitor.session.as_ref().map(|session| session.person.username.clone()),
            csrf: visitor.csrf(),
            ..Self::anonymous(visitor.language, title)
        }
    }

    /// A frame for when nothing is known about the visitor.
    pub(crate) fn anonymous(language: Language, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            username: None,
            csrf: String::new(),
            stylesheet: assets::stylesheet_path(),
            icon: assets::icon_path(),
            words: language.words(),
        }
    }
}

/// Renders a page whose forms lead to this server, and from there possibly on to one other origin: browsers check
/// where a form's answer redirects to.
pub(crate) fn page(status: StatusCode, template: &impl Template, visitor: &Visitor, leads_to: Option<&str>) -> Response {
    let mut response = bare_page(status, template, leads_to);
    visitor.keep_cookie(&mut response);
    response
}

/// The same for when nothing is known about the visitor.
pub(crate) fn bare_page(status: StatusCode, template: &impl Template, leads_to: Option<&str>) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "A page could not be written.");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{}; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
        leads_to.map(form_target).unwrap_or_default()
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The policy's language has no IPv6 addresses; a whole scheme is the least that names one.
fn form_target(origin: &str) -> String {
    if origin.contains('[') { " http:".to_owned() } else { format!(" {origin}") }
}

/// Leads the browser on with GET, whatever brought it here: the form's data must not travel on (AUT-15).
pub(crate) fn see_other(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    heading: String,
    message: String,
}

/// A page that says what is wrong, and what to do.
pub(crate) fn message(status: StatusCode, language: Language, heading: &str, message: impl Into<String>) -> Response {
    let page = MessagePage { frame: Frame::anonymous(language, heading), heading: heading.to_owned(), message: message.into() };
    bare_page(status, &page, None)
}

/// The page for what the rules say no to.
pub(crate) fn failure(language: Language, error: &Error) -> Response {
    crate::error::log_cause(error);
    let words = language.words();
    let (status, heading, text) = match error {
        Error::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, words.slower_heading, words.slower_rule),
        Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, words.away_heading, words.away_rule),
        Error::Forbidden => (StatusCode::FORBIDDEN, words.over_heading, words.over),
        Error::NotFound => (StatusCode::NOT_FOUND, words.nothing_heading, words.nothing_rule),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, words.broken_heading, words.broken_rule),
    };
    let seconds = error.retry_after().map(|wait| wait.as_secs().max(1));
    let text = if text.is_empty() { error.to_string() } else { fill(text, seconds.unwrap_or_default()) };
    let mut response = message(status, language, heading, text);
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
