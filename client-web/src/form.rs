//! Forms: decoded, and accepted only with the token of the session that they were shown to.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
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

/// A file of somebody who is signed in, sent by a script of ours: the fields are in the address, the token in a
/// header that no other site's form can set.
pub(crate) struct MemberUpload<T> {
    pub(crate) member: Member,
    pub(crate) fields: T,
    pub(crate) body: Bytes,
}

impl<T: DeserializeOwned> FromRequest<AppState> for MemberUpload<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let given = parts.headers.get("x-csrf-token").map_or(&b""[..], |token| token.as_bytes());
        let person = visitor.person.clone().filter(|_| is_ours(&visitor, given));
        let Some(person) = person else {
            return Err(PageError::untrusted_form(None));
        };
        let fields = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let body = Bytes::from_request(Request::from_parts(parts, body), state)
            .await
            .map_err(|rejection| Explanation::of_status(rejection.status()))?;
        Ok(Self { member: Member { visitor, person }, fields: decoded(fields)?, body })
    }
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

/// What somebody wrote must survive even when the form does not.
fn kept_text(fields: &Map<String, Value>) -> Option<String> {
    let texts = ["text", "bio", "prompt", "instructions"].iter().filter_map(|name| fields.get(*name)?.as_str());
    texts.filter(|text| !text.trim().is_empty()).map(str::to_owned).next()
}
