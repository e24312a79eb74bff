//! Bearer tokens (RFC 6750): from header to caller, and the challenges that lead a client on.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use picard_domain::{Door, Error};

use crate::error::Problem;
use crate::state::AppState;

/// Which of the two protected resources a request is for; each has its own metadata (RFC 9728).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The REST API.
    Api,
    /// The MCP endpoint.
    Mcp,
}

impl Resource {
    /// Which door it is behind.
    fn door(self) -> Door {
        match self {
            Self::Api => Door::Rest,
            Self::Mcp => Door::Mcp,
        }
    }

    /// Where the resource's metadata document is.
    pub(crate) fn metadata_url(self, public_url: &str) -> String {
        match self {
            Self::Api => format!("{public_url}/.well-known/oauth-protected-resource"),
            Self::Mcp => format!("{public_url}/.well-known/oauth-protected-resource/mcp"),
        }
    }
}

/// Lets a request of the REST API through with its caller, or answers 401.
pub(crate) async fn api(state: State<AppState>, request: Request, next: Next) -> Response {
    authenticate(state, request, next, Resource::Api).await
}

/// Lets a request of the MCP endpoint through with its caller, or answers 401.
pub(crate) async fn mcp(state: State<AppState>, request: Request, next: Next) -> Response {
    authenticate(state, request, next, Resource::Mcp).await
}

async fn authenticate(State(state): State<AppState>, mut request: Request, next: Next, resource: Resource) -> Response {
    let outcome = match token(request.headers()) {
        Some(token) => state.app.authenticate_bearer(token, resource.door()).await,
        None => Err(Error::Unauthorized),
    };
    match outcome {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(resource);
            next.run(request).await
        }
        Err(error) => {
            let sent = sent_bearer(request.headers());
            refuse(error, state.app.public_url(), resource, sent)
        }
    }
}

/// The token of the Authorization header; tokens in the query string are not looked at (JWT-08).
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether somebody tried with a bearer token, valid or not.
pub(crate) fn sent_bearer(headers: &HeaderMap) -> bool {
    let is_bearer =
        |value: &header::HeaderValue| value.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"));
    headers.get_all(header::AUTHORIZATION).iter().any(is_bearer)
}

/// The answer to a request that may not go on. An `error` is named only when a token was sent (JWT-11).
pub(crate) fn refuse(error: Error, public_url: &str, resource: Resource, was_sent: bool) -> Response {
    let metadata = resource.metadata_url(public_url);
    let challenge = match &error {
        Error::Unauthorized if was_sent => {
            Some(format!(r#"Bearer error="invalid_token", scope="memories:read", resource_metadata="{metadata}""#))
        }
        Error::Unauthorized => Some(format!(r#"Bearer scope="memories:read", resource_metadata="{metadata}""#)),
        Error::InsufficientScope(scope) => {
            Some(format!(r#"Bearer error="insufficient_scope", scope="{scope}", resource_metadata="{metadata}""#))
        }
        _ => None,
    };
    let problem = Problem::from(error);
    match challenge {
        Some(challenge) => problem.with_header(header::WWW_AUTHENTICATE, &challenge).into_response(),
        None => problem.into_response(),
    }
}

/// An error of a handler behind the bearer layer, which may ask for a further scope.
pub(crate) struct ApiError(pub(crate) Error, pub(crate) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        refuse(self.0, &self.1, Resource::Api, true)
    }
}
