//! Headers that every answer carries.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use crate::state::AppState;

const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// What pages may do. Forms lead here, and by way of a redirect to the Picard server, where people allow more: browsers
/// ask the policy about every address on the way.
pub(crate) fn policy(server_public_url: &str) -> HeaderValue {
    let origin = url::Url::parse(server_public_url).map(|url| url.origin().ascii_serialization());
    let policy = origin.ok().and_then(|origin| HeaderValue::from_str(&format!("{POLICY} {origin}")).ok());
    policy.unwrap_or(HeaderValue::from_static(POLICY))
}

/// Sets the security headers, and forbids caching of whatever did not allow it by itself.
pub(crate) async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, state.policy.clone());
    let fixed: [(HeaderName, &'static str); 6] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if state.is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if state.leaving.is_cancelled() {
        // The next request would find nobody on this connection (OPS-06).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets pages be compressed only for requests that a page of ours or the person's own typing has caused, and files of ours
/// always. The size of a compressed page tells something of what is in it, and a page repeats what its address asks for:
/// another site that could cause such requests would find out the token of the forms, guess by guess (BREACH).
pub(crate) async fn only_own_answers_are_compressed(mut request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").map_or(&b""[..], |site| site.as_bytes());
    if !matches!(site, b"same-origin" | b"none") && !request.uri().path().starts_with("/static/") {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    next.run(request).await
}
