//! Giving out everything that a person owns, as it comes from the server: nothing of it is kept here.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;

use crate::error::PageError;
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    format: String,
}

/// `GET /export?format=`
pub(crate) async fn download(
    State(state): State<AppState>,
    member: Member,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let (format, kind, disposition) = match wish.format.as_str() {
        "csv" => ("csv", "text/csv; charset=utf-8", "attachment; filename=\"memories.csv\""),
        "markdown" => ("markdown", "text/markdown; charset=utf-8", "attachment; filename=\"memories.md\""),
        _ => ("ndjson", "application/x-ndjson", "attachment; filename=\"memories.ndjson\""),
    };
    let answer = tokens::export(&state, &member.person, format).await?;
    // What fails on the way cuts the download off, so that nobody takes a part for the whole.
    let chunks = stream::try_unfold(answer, |mut answer| async move {
        let chunk = answer.chunk().await.map_err(reqwest::Error::without_url)?;
        Ok::<_, reqwest::Error>(chunk.map(|chunk| (chunk, answer)))
    });
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, Body::from_stream(chunks)).into_response())
}
