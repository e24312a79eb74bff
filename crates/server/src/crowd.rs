//! Large bodies at once. Each becomes many times its size while it is read, so only a few are read at a time; the others
//! wait for a moment and are then asked to come back (FLT-24).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::Body as _;
use picard_domain::Error;
use tokio::sync::Semaphore;

use crate::error::Problem;
use crate::state::AppState;

/// Bodies up to this size do not count.
const SMALL_BYTES: u64 = 64 * 1024;
/// How many larger ones are read and worked on at a time.
const MOST_AT_ONCE: usize = 8;
/// How long the others wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// Its body is never in memory as a whole.
const STREAMED: &str = "/api/memories/import";

/// The places for requests with large bodies.
pub(crate) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST_AT_ONCE))
}

/// Lets a request with a large body wait for its place.
pub(crate) async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !is_large(&request) {
        return next.run(request).await;
    }
    match tokio::time::timeout(PATIENCE, state.large.acquire()).await {
        Ok(_place) => next.run(request).await,
        Err(elapsed) => Problem::from(Error::unavailable("Room for another large request", elapsed)).into_response(),
    }
}

/// A body whose length is not told counts as large.
fn is_large(request: &Request) -> bool {
    if request.uri().path().trim_end_matches('/') == STREAMED || request.body().is_end_stream() {
        return false;
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_none_or(|length| length > SMALL_BYTES)
}
