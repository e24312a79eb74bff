//! Who is there, by the one cookie, and whether a form is one that was shown to them.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use picard_app::{SESSION_LIFETIME, Session};
use picard_crypto::{ExposeSecret, SecretString, constant_time_eq, hash_token, random_token};

use crate::address;
use crate::body::{Parameters, from_form, is_form};
use crate::pages::frame::{failure, message};
use crate::pages::words::{self, Language};
use crate::state::AppState;

/// Whoever looks at a page. Somebody who is not signed in has a cookie too, which forms are bound to; it is never used
/// on after the sign-in (LOG-02).
pub(crate) struct Visitor {
    pub(crate) session: Option<Session>,
    /// Where they are.
    pub(crate) address: String,
    /// What they read.
    pub(crate) language: Language,
    cookie: SecretString,
    is_new: bool,
    is_https: bool,
}

/// Browsers accept the `__Host-` prefix only over HTTPS (LOG-03).
fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-picard_server" } else { "picard_server_session" }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let language = Language::of(&parts.headers, parts.uri.query());
        let sent = cookie(&parts.headers, cookie_name(state.is_https));
        let session = match &sent {
            Some(sent) => state.app.session(sent).await.map_err(|error| failure(language, &error))?,
            None => None,
        };
        let is_new = sent.is_none();
        let cookie = sent.map_or_else(random_token, SecretString::from);
        Ok(Self { session, address: address::of(parts, state), language, cookie, is_new, is_https: state.is_https })
    }
}

/// The cookie's value, if it has the form of one of ours.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(key, _)| *key == name).map(|(_, value)| value)?;
    let is_ours = value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_ours.then(|| value.to_owned())
}

impl Visitor {
    /// The token of forms that are shown to this visitor: it follows from the cookie and says nothing about it.
    pub(crate) fn csrf(&self) -> String {
        let hash = hash_token(&format!("csrf {}", self.cookie.expose_secret()));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Gives a visitor who has no cookie theirs.
    pub(crate) fn keep_cookie(&self, response: &mut Response) {
        if self.is_new {
            set_cookie(response, self.is_https, self.cookie.expose_secret(), None);
        }
    }

    /// Gives the browser the cookie of a new session.
    pub(crate) fn start(&self, response: &mut Response, token: &SecretString) {
        set_cookie(response, self.is_https, token.expose_secret(), Some(SESSION_LIFETIME.as_secs()));
    }

    /// Takes the cookie away.
    pub(crate) fn forget(&self, response: &mut Response) {
        set_cookie(response, self.is_https, "", Some(0));
    }
}

fn set_cookie(response: &mut Response, is_https: bool, value: &str, max_age: Option<u64>) {
    let mut cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", cookie_name(is_https));
    if is_https {
        cookie.push_str("; Secure");
    }
    if let Some(seconds) = max_age {
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A form that was shown to the visitor who sends it.
pub(crate) struct PageForm {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Parameters,
}

impl PageForm {
    /// A field's text; empty when it was left out.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }
}

impl FromRequest<AppState> for PageForm {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let language = Language::of(&parts.headers, None);
        let words = language.words();
        if is_from_elsewhere(&parts.headers, state.app.public_url()) {
            return Err(not_ours(language));
        }
        let mut visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        if !is_form(&kind) {
            return Err(message(StatusCode::UNSUPPORTED_MEDIA_TYPE, language, words.no_form_heading, words.no_form));
        }
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await.map_err(|rejection| {
            let status = axum::response::IntoResponse::into_response(rejection).status();
            message(status, language, words.large_heading, words.large)
        })?;
        let fields = from_form(&body).map_err(|error| {
            let rule = words.unreadable_rule;
            let text = if rule.is_empty() { error.description } else { rule.into() };
            message(StatusCode::BAD_REQUEST, language, words.unreadable_heading, text)
        })?;
        // What the application wished for has come along in the form.
        if let Some((_, query)) = fields.get("next").and_then(|next| next.split_once('?')) {
            visitor.language = words::wished(query).unwrap_or(visitor.language);
        }
        let given = fields.get("csrf").unwrap_or_default();
        // A cookie that was just made belongs to no page that could have been shown.
        if visitor.is_new || !constant_time_eq(given.as_bytes(), visitor.csrf().as_bytes()) {
            return Err(not_ours(visitor.language));
        }
        Ok(Self { visitor, fields })
    }
}

fn not_ours(language: Language) -> Response {
    let words = language.words();
    message(StatusCode::FORBIDDEN, language, words.foreign_heading, words.foreign)
}

/// Whether a browser says that another site sends this (LOG-01). Older ones name the origin, which our own pages keep to
/// themselves (`null`) because they send no referrer.
fn is_from_elsewhere(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let own = url::Url::parse(public_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let host = text("host").unwrap_or_default();
    text("origin").is_some_and(|origin| {
        let is_same_host = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
        origin != "null" && origin != own && !is_same_host
    })
}
