//! Answers of personas as they are written: server-sent events.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use picard_app::CallOptions;
use picard_domain::{Caller, Error};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::bearer::ApiError;
use crate::error;
use crate::state::AppState;

/// The tool that can answer piece by piece.
pub(crate) const TOOL: &str = "query_user";

/// What comes next.
enum Next {
    Piece(String),
    End(Result<Value, Error>),
}

/// Answers with `token` events (`{"text"}`), then `done` (the whole answer) or `error` (as an answer would be refused).
/// What goes wrong before the first word is refused as ever. Nobody reads any more: the model is left alone.
pub(crate) async fn stream(state: AppState, caller: Caller, data: Value) -> Response {
    let url = state.app.public_url().to_owned();
    let (pieces, mut written) = mpsc::unbounded_channel();
    let (end, ended) = tokio::sync::oneshot::channel();
    let app = state.app.clone();
    let call = tokio::spawn(async move {
        let say = move |piece: &str| {
            // Who has gone hears nothing.
            let _ = pieces.send(piece.to_owned());
        };
        let options = CallOptions { pieces: Some(&say), ..CallOptions::default() };
        let answer = app.call_tool(&caller, TOOL, data, options).await;
        let answer = answer.and_then(|answer| serde_json::from_str(answer.get()).map_err(Error::internal));
        let _ = end.send(answer);
    });
    let stop = StopOnDrop(call);
    let first = match written.recv().await {
        Some(piece) => Next::Piece(piece),
        None => {
            return match ended.await {
                Ok(Ok(answer)) => events(stream::iter([Ok(event("done", &answer))])),
                Ok(Err(error)) => ApiError(error, url).into_response(),
                Err(_) => ApiError(Error::internal("an answer was lost"), url).into_response(),
            };
        }
    };
    let pieces = stream::unfold(Some((Some(first), written, Some(ended), stop)), move |state| async move {
        let (first, mut written, mut ended, stop) = state?;
        let next = match first {
            Some(first) => first,
            None => match written.recv().await {
                Some(piece) => Next::Piece(piece),
                None => match ended.take()?.await {
                    Ok(answer) => Next::End(answer),
                    Err(_) => Next::End(Err(Error::internal("an answer was lost"))),
                },
            },
        };
        Some(match next {
            Next::Piece(text) => {
                (Ok::<_, std::convert::Infallible>(event("token", &json!({ "text": text }))), Some((None, written, ended, stop)))
            }
            Next::End(Ok(answer)) => (Ok(event("done", &answer)), None),
            Next::End(Err(error)) => (Ok(event("error", &error::problem(error))), None),
        })
    });
    events(pieces)
}

/// Ends the call with the stream.
struct StopOnDrop(tokio::task::JoinHandle<()>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn events(pieces: impl futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, [("x-accel-buffering", "no")], Body::from_stream(pieces)).into_response()
}

fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
