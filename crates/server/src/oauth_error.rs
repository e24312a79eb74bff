//! Errors of the OAuth endpoints, as RFC 6749 section 5.2 wants them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::TokenError;
use picard_auth::OAuthError;
use picard_domain::Error;
use serde_json::json;

use crate::error::Problem;

/// A refused or failed request to an OAuth endpoint.
#[derive(Debug)]
pub(crate) struct OAuthProblem {
    error: TokenError,
    /// Whether the client used HTTP Basic, so that the challenge names it.
    is_basic: bool,
    /// What the HTTP door found wrong with the body; otherwise the error tells the status.
    status: Option<StatusCode>,
}

impl OAuthProblem {
    /// Tells how the client authenticated.
    pub(crate) fn new(error: impl Into<TokenError>, is_basic: bool) -> Self {
        Self { error: error.into(), is_basic, status: None }
    }
}

/// A body that cannot be read is an invalid request (RFC 6749 section 5.2); the status says what is wrong with it.
impl From<Problem> for OAuthProblem {
    fn from(problem: Problem) -> Self {
        let (status, detail) = problem.parts();
        Self { error: OAuthError::invalid_request(detail).into(), is_basic: false, status: Some(status) }
    }
}

fn status(error: &OAuthError) -> StatusCode {
    match error.code {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "unauthorized_client" | "access_denied" => StatusCode::FORBIDDEN,
        "user_not_found" => StatusCode::NOT_FOUND,
        "account_link_required" => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What is no rule of OAuth, in the words of RFC 6749 section 4.1.2.1.
fn other(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        Error::Conflict(_) => (StatusCode::CONFLICT, "temporarily_unavailable"),
        Error::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

impl IntoResponse for OAuthProblem {
    fn into_response(self) -> Response {
        let (status, code, description, wait) = match &self.error {
            TokenError::OAuth(error) => {
                (self.status.unwrap_or_else(|| status(error)), error.code, error.description.clone(), None)
            }
            TokenError::Other(error) => {
                crate::error::log_cause(error);
                let (status, code) = other(error);
                (status, code, error.to_string(), error.retry_after())
            }
        };
        let body = Json(json!({ "error": code, "error_description": description }));
        let mut response = (status, [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], body).into_response();
        if status == StatusCode::UNAUTHORIZED && self.is_basic {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"picard\""));
        }
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}
