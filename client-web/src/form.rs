//! Forms: decoded, and accepted only with the token of the session that they were shown to.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use picard_crypto::constant_time_eq;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Explanation, PageError};
use crate::state::AppState;
use crate::visitor::{Member, Visitor};

/// A form of anybody. Its fields are strings; those that are missing are empty.
pub(crate) struct VisitorForm<T> {
    pub(crate) visitor: Visitor,
    pub(crate) fields: T,
}

/// A form of somebody who is signed in.
pub(crate) struct MemberForm<T> {
    pub(crate) member: Member,
    pub(crate) fields: T,
}

/// A form with a file of somebody who is signed in. Its parts come one after the other, the token first of all: nothing
/// is read for a form of somebody else's.
pub(crate) struct MemberParts {
    pub(crate) member: Member,
    pub(crate) parts: Multipart,
}

/// The most bytes of a field that nobody writes by hand.
pub(crate) const SMALL: usize = 256;
/// How long a form that is not accepted is read for its text: anybody may send one, of any size.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The most bytes of a text that is kept of a form that is not accepted.
const KEPT: usize = 1024 * 1024;

impl FromRequest<AppState> for MemberParts {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let mut parts = Multipart::from_request(Request::from_parts(parts, body), state)
            .await
            .map_err(|_| Explanation::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))?;
        let given = match next_part(&mut parts).await? {
            Some(part) if part.name() == Some("csrf") => part_text(part, SMALL).await?,
            _ => String::new(),
        };
        match visitor.person.clone().filter(|_| is_ours(&visitor, given.as_bytes())) {
            Some(person) => Ok(Self { member: Member { visitor, person }, parts }),
            None => {
                let kept = tokio::time::timeout(LONGEST_LOOK, kept_part(&mut parts)).await;
                Err(PageError::untrusted_form(kept.unwrap_or_default()))
            }
        }
    }
}

/// The next part of a form.
pub(crate) async fn next_part(parts: &mut Multipart) -> Result<Option<Field<'_>>, PageError> {
    parts.next_field().await.map_err(|error| Explanation::of_status(error.status()).into())
}

/// The text of a part that has at most so many bytes.
pub(crate) async fn part_text(mut part: Field<'_>, most: usize) -> Result<String, PageError> {
    let mut text = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| Explanation::of_status(error.status()))? {
        if text.len() + chunk.len() > most {
            return Err(Explanation::of_status(StatusCode::PAYLOAD_TOO_LARGE).into());
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| Explanation::of_status(StatusCode::BAD_REQUEST).into())
}

async fn kept_part(parts: &mut Multipart) -> Option<String> {
    while let Ok(Some(part)) = next_part(parts).await {
        if part.name() == Some("text") {
            return part_text(part, KEPT).await.ok().filter(|text| !text.trim().is_empty());
        }
    }
    None
}

fn pairs(encoded: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(encoded);
    pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

/// Whether a form's token is that of the session (LOG-01, WEB-03).
fn is_ours(visitor: &Visitor, given: &[u8]) -> bool {
    visitor.csrf.as_deref().is_some_and(|token| constant_time_eq(token.as_bytes(), given))
}

impl<T: DeserializeOwned> FromRequest<AppState> for VisitorForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let (visitor, fields) = checked(request, state).await?;
        Ok(Self { visitor, fields: decoded(fields)? })
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for MemberForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let (visitor, fields) = checked(request, state).await?;
        match visitor.person.clone() {
            Some(person) => Ok(Self { member: Member { visitor, person }, fields: decoded(fields)? }),
            None => Err(PageError::untrusted_form(kept_text(&fields))),
        }
    }
}

async fn checked(request: Request, state: &AppState) -> Result<(Visitor, Map<String, Value>), PageError> {
    let (mut parts, body) = request.into_parts();
    let visitor = Visitor::from_request_parts(&mut parts, state).await?;
    let kind = parts.headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/x-www-form-urlencoded") {
        return Err(Explanation::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into());
    }
    let body = Bytes::from_request(Request::from_parts(parts, body), state)
        .await
        .map_err(|rejection| Explanation::of_status(rejection.status()))?;
    let fields = pairs(&body);
    let given = fields.get("csrf").and_then(Value::as_str).unwrap_or_default();
    if is_ours(&visitor, given.as_bytes()) { Ok((visitor, fields)) } else { Err(PageError::untrusted_form(kept_text(&fields))) }
}

fn decoded<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, PageError> {
    serde_json::from_value(Value::Object(fields)).map_err(|_| Explanation::of_status(StatusCode::BAD_REQUEST).into())
}

/// What people write into forms, the longest first.
const WRITTEN: [&str; 8] = ["text", "bio", "prompt", "instructions", "description", "name", "tags", "category"];

/// What somebody wrote must survive even when the form does not.
fn kept_text(fields: &Map<String, Value>) -> Option<String> {
    let texts = WRITTEN.iter().filter_map(|name| fields.get(*name)?.as_str());
    let texts: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}
