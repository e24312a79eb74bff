//! What happens to every request: an id, a log line, a body for problems, safe headers.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument;

use crate::error::Problem;
use crate::state::AppState;
use crate::{address, traces};

/// The header that carries a request's id, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, writes one log line, and completes the answer.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = incoming_id(&request).unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let method = request.method().clone();
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let address = address::of(&parts, &state);
    let mut request = Request::from_parts(parts, body);
    // Who is attacked needs to know from where (OPS-04).
    let span = tracing::info_span!("request", request.id = %id, client.address = address);
    traces::join(&span, request.headers());
    // So that a door that makes spans of its own can name the request in them.
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let of_request = span.clone();
    async {
        let mut response = next.run(request).await;
        // The route instead of the path: a path can hold what does not belong into a log.
        let route = response.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
        state.metrics.request(&method, &route, response.status(), began.elapsed());
        tracing::info!(
            http.request.method = %method, http.route = &*route, http.response.status_code = response.status().as_u16(),
            duration_ms = began.elapsed().as_secs_f64() * 1_000.0, "A request was answered."
        );
        traces::note(&of_request, method.as_str(), &route, response.status().as_u16());
        complete(&mut response, &id);
        if state.is_https {
            let year = HeaderValue::from_static("max-age=31536000");
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        if state.leaving.is_cancelled() {
            // The next request would find nobody on this connection (OPS-06).
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
    .instrument(span)
    .await
}

/// Passes the matched route on to [`observe`], which stands outside of the router.
pub(crate) async fn remember_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Gives a failed answer of the protocol's library, which is bare text, the form that all others have.
pub(crate) async fn explain(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_text = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    let is_bare = response.headers().get(header::CONTENT_TYPE).is_none_or(is_text);
    if !(status.is_client_error() || status.is_server_error()) || !is_bare {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, 4_096).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&text).trim().to_owned();
    let detail = if detail.is_empty() { "The MCP endpoint does not take this request.".to_owned() } else { detail };
    let code = match status {
        StatusCode::BAD_REQUEST => "invalid_request",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::NOT_ACCEPTABLE => "not_acceptable",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "error",
    };
    let mut problem = Problem::new(status, code, detail).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            problem.headers_mut().append(name.clone(), value.clone());
        }
    }
    problem
}

/// An id that came with the request, if it is one that can stand in a log line (OPS-03).
fn incoming_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ((1..=64).contains(&id.len()) && id.chars().all(is_plain)).then(|| id.to_owned())
}

fn complete(response: &mut Response, id: &str) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = problem.body(id);
        // It was counted while the body was still empty.
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The answer for a path that is nothing.
pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}

/// The answer for a method that a path does not take.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take this method.")
}
