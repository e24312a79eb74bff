//! No request waits for ever: a database that is slow, or a connection to it whose bytes nobody takes, costs one answer
//! of 503 (FLT-05, FLT-06).

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use picard_domain::Error;

use crate::error::Problem;

/// The longest that an answer may take to begin.
const LONGEST: Duration = Duration::from_secs(10);
/// What has limits of its own: tools, of which one waits for a model, files of any length, and what stays open.
const OTHERWISE_LIMITED: [&str; 4] = ["/api/tools", "/api/memories/import", "/api/memories/export", "/mcp"];

/// Answers 503 when nobody else has in time; what was under way is dropped, and its transaction with it.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OTHERWISE_LIMITED.contains(&path.strip_suffix('/').unwrap_or(path)) {
        return next.run(request).await;
    }
    match tokio::time::timeout(LONGEST, next.run(request)).await {
        Ok(response) => response,
        Err(elapsed) => Problem::from(Error::unavailable("The database", elapsed)).into_response(),
    }
}
