//! Bodies that nobody reads. When a request is refused before its body is read, the HTTP library closes the connection
//! behind the answer, and a client that sends its next request on it sees a failure. So what is left of a small body is
//! read and thrown away.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// Larger bodies close the connection after all; the largest that is taken anywhere is a mebibyte.
const MOST_BYTES: usize = (1 << 20) + 64 * 1024;
/// Slower ones, too.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Reads what is left when it is dropped.
struct Drained(Option<Body>);

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(mut body), Ok(runtime)) = (unread, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let reading = async {
                    let mut count = 0;
                    while let Some(Ok(frame)) = body.frame().await {
                        count += frame.data_ref().map_or(0, Bytes::len);
                        if count > MOST_BYTES {
                            return;
                        }
                    }
                };
                let _ = tokio::time::timeout(LONGEST_WAIT, reading).await;
            });
        }
    }
}

/// Sees to it that every small body is read to its end, whoever answers.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() { body } else { Body::new(Drained(Some(body))) };
    next.run(Request::from_parts(parts, body)).await
}
