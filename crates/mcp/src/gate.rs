//! What happens to a request before the protocol sees it, and to an answer after.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::LengthLimitError;
use picard_app::App;
use picard_domain::{Caller, Error};
use rmcp::model::{ErrorData, JsonRpcError, SubscriptionFilter};
use tokio_util::sync::DropGuard;
use tracing::Span;

use crate::sessions::{self, Asked, OpenSession, Sessions};
use crate::{Refuse, message, subscriptions};

/// The most that a request's body may have.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

pub(crate) const SESSION_ID: &str = "mcp-session-id";

/// What decides whether a request goes on.
#[derive(Clone)]
pub(crate) struct Gate {
    app: App,
    /// Where older clients get them.
    sessions: Option<Arc<Sessions>>,
    refuse: Refuse,
    _all: Arc<DropGuard>,
}

/// Lets a request through to the protocol on behalf of its caller.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return (gate.refuse)(&Error::Unauthorized);
    };
    // Nothing further inside needs the token, so no log line there can hold it.
    request.headers_mut().remove(header::AUTHORIZATION);
    // A session answers in a task of its own, whose log lines would not name the request.
    request.extensions_mut().insert(Span::current());
    let session = match gate.session(request.headers(), &caller).await {
        Ok(session) => session,
        Err(error) => return gate.refused(&error),
    };
    let deleted = (request.method() == Method::DELETE).then_some(session.is_some());
    let mut listen = None;
    if request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        let examined = gate.examine(&parts, body, &caller).await;
        let (body, wanted) = match examined {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        listen = match wanted {
            Some(wanted) => match subscriptions::accepted(&gate.app, &caller, &wanted).await {
                Ok(accepted) => Some(Arc::new(accepted)),
                Err(error) => return gate.refused(&error),
            },
            None => None,
        };
        request = Request::from_parts(parts, body);
    }
    let _turn = match (&gate.sessions, &session) {
        (Some(sessions), Some(session)) => sessions.turn(session).await,
        _ => None,
    };
    let asked = Asked { caller, listen, session: session.clone() };
    let response = sessions::on_behalf_of(asked, next.run(request)).await;
    translated(response, deleted)
}

impl Gate {
    pub(crate) fn new(app: App, sessions: Option<Arc<Sessions>>, refuse: Refuse, all: DropGuard) -> Self {
        Self { app, sessions, refuse, _all: Arc::new(all) }
    }

    /// Reads the body and decides by it, never by the Mcp-Method or Mcp-Name header, which scope is needed (SCO-07).
    async fn examine(
        &self,
        parts: &Parts,
        body: Body,
        caller: &Caller,
    ) -> Result<(Body, Option<SubscriptionFilter>), Box<Response>> {
        if !is_json(&parts.headers) {
            let text = "Send the body as application/json in UTF-8, not compressed.";
            return Err(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorData::invalid_request(text, None)).into());
        }
        let bytes = to_bytes(body, MOST_BYTES).await.map_err(|error| unreadable(&error))?;
        let examined = message::examine(&bytes).map_err(|error| failure(StatusCode::BAD_REQUEST, error))?;
        if let Some(Err(error)) = examined.scope.map(|scope| caller.require(scope)) {
            return Err((self.refuse)(&error).into());
        }
        Ok((bytes.into(), examined.listen))
    }

    /// What cannot be told yet, or not so often, is no question of rights.
    fn refused(&self, error: &Error) -> Response {
        match error {
            Error::RateLimited { .. } => failure(StatusCode::TOO_MANY_REQUESTS, crate::error::of_list(error)),
            Error::Unavailable { .. } => failure(StatusCode::SERVICE_UNAVAILABLE, crate::error::of_list(error)),
            Error::Internal(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, crate::error::of_list(error)),
            _ => (self.refuse)(error),
        }
    }

    /// The caller's session that the request names.
    async fn session(&self, headers: &HeaderMap, caller: &Caller) -> Result<Option<Arc<OpenSession>>, Error> {
        let id = headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
        match (&self.sessions, id) {
            (Some(sessions), Some(id)) => sessions.open(caller, id).await,
            _ => Ok(None),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let is_identity = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    let is_utf8 = matches!(parameters.trim(), "" | "charset=utf-8" | "charset=\"utf-8\"" | "charset=utf8");
    is_identity && essence.trim() == "application/json" && is_utf8
}

fn unreadable(error: &axum::Error) -> Box<Response> {
    let is_too_large = std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
    let (status, text) = if is_too_large {
        (StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB.")
    } else {
        (StatusCode::BAD_REQUEST, "The body could not be read.")
    };
    failure(status, ErrorData::invalid_request(text, None)).into()
}

/// An answer to what is no request, so without an id (MCP 2026-07-28, error responses).
fn failure(status: StatusCode, error: ErrorData) -> Response {
    (status, axum::Json(JsonRpcError::new(None, error))).into_response()
}

/// Says what rmcp's answer means to say. `deleted` is whether the session to be deleted was the caller's.
fn translated(response: Response, deleted: Option<bool>) -> Response {
    match (response.status(), deleted) {
        // rmcp answers 202, which clients take for a failure, and does not mind unknown sessions.
        (StatusCode::ACCEPTED, Some(true)) => StatusCode::NO_CONTENT.into_response(),
        (StatusCode::ACCEPTED, Some(false)) => (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response(),
        // rmcp has logged the cause, and names it in the body.
        (status, _) if status.is_server_error() => failure(status, crate::error::internal()),
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().expect("a header"))])
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        for good in ["application/json", "Application/JSON; charset=UTF-8"] {
            assert!(is_json(&headers(good)), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=utf-7", "application/json-seq", ""] {
            assert!(!is_json(&headers(bad)), "INP-06 {bad}");
        }
        let mut compressed = headers("application/json");
        compressed.insert(header::CONTENT_ENCODING, "gzip".parse().expect("a header"));
        assert!(!is_json(&compressed), "INP-06");
    }

    #[test]
    fn a_deleted_session_answers_204_and_a_foreign_one_404() {
        let accepted = || StatusCode::ACCEPTED.into_response();

        assert_eq!(translated(accepted(), Some(true)).status(), StatusCode::NO_CONTENT, "T12");
        assert_eq!(translated(accepted(), Some(false)).status(), StatusCode::NOT_FOUND, "T3");
        assert_eq!(translated(accepted(), None).status(), StatusCode::ACCEPTED);
    }

    #[tokio::test]
    async fn an_internal_failure_says_nothing_of_its_cause() {
        let leaking = (StatusCode::INTERNAL_SERVER_ERROR, "Encounter an error when get session: 42").into_response();

        let body = to_bytes(translated(leaking, None).into_body(), MOST_BYTES).await.expect("a body");

        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["error"]["code"], -32603);
        assert!(!body.to_string().contains("session"), "{body}");
    }
}
