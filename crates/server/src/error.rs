//! Errors as RFC 9457 problem documents: the one table from a rule's error to a status.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_domain::{Error, FieldError};
use serde::Serialize;

/// A failed request. Its body is written by the outermost layer, which knows the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Member<'a>>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Member<'a> {
    field: &'a str,
    message: &'a str,
}

impl Problem {
    /// A problem of the HTTP door itself.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    /// The status, and what is wrong in words.
    pub(crate) fn parts(&self) -> (StatusCode, &str) {
        (self.status, &self.detail)
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The body, complete with the request's id.
    pub(crate) fn body(&self, request_id: &str) -> Body {
        let errors = self.errors.iter().map(|error| Member { field: &error.field, message: &error.message });
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            errors: errors.collect(),
            request_id,
        };
        serde_json::to_vec(&document).map_or_else(|_| Body::empty(), Body::from)
    }
}

/// What went wrong, as a member of something that has begun to be answered.
pub(crate) fn problem(error: Error) -> serde_json::Value {
    let problem = Problem::from(error);
    serde_json::json!({ "status": problem.status.as_u16(), "code": problem.code, "detail": problem.detail })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Invalid(_) | Error::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Unauthorized => StatusCode::UNAUTHORIZED,
            Error::InsufficientScope(_) | Error::Forbidden => StatusCode::FORBIDDEN,
            Error::NotFound | Error::UnknownTool => StatusCode::NOT_FOUND,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::VersionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
            Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        log_cause(&error);
        let mut problem = Self::new(status, error.code(), error.to_string());
        if let Some(wait) = error.retry_after() {
            problem = problem.with_header(header::RETRY_AFTER, &wait.as_secs().max(1).to_string());
        }
        if let Error::Invalid(errors) = error {
            problem.errors = errors;
        }
        problem
    }
}

/// The cause goes to the log once, here at the boundary; the caller never sees it.
pub(crate) fn log_cause(error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match error {
        Error::Internal(_) => tracing::error!(cause, "A request failed."),
        Error::Unavailable { .. } => tracing::warn!(cause, "A request could not be handled."),
        _ => {}
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}
