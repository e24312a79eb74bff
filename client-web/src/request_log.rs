//! One log line and one id for every request.

use std::fmt;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

/// The id that finds a request in the log; every answer carries it as `x-request-id`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Names the request and logs its end. The route is logged, not the address: a search is private.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId(Uuid::new_v4());
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", |path| path.as_str()).to_owned();
    request.extensions_mut().insert(id);
    let span = tracing::info_span!("request", request.id = %id);
    async move {
        let mut response = next.run(request).await;
        tracing::info!(
            http.request.method = %method, http.route = route, http.response.status_code = response.status().as_u16(),
            duration_ms = started.elapsed().as_secs_f64() * 1_000.0, "answered a request"
        );
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
        }
        response
    }
    .instrument(span)
    .await
}
