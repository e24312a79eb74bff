//! The tags and categories that a person has used: asked for by the page's script when somebody begins to use such a
//! field, because the server has to count all memories for them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::error::PageError;
use crate::frame::page;
use crate::server_client::{Call, Figures};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "suggestions.html")]
struct Suggestions {
    known: Figures,
}

/// `GET /memories/suggestions`
pub(crate) async fn show(State(state): State<AppState>, member: Member) -> Result<Response, PageError> {
    let known = tokens::call(&state, &member.person, &Call::get("/api/users/me/analytics", &[])).await?;
    Ok(page(StatusCode::OK, &Suggestions { known }))
}
