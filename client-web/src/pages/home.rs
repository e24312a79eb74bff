//! The start page for strangers, and the page for addresses that do not exist.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::visitor::Visitor;

/// What a page was told about what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    pub(crate) done: Option<String>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
}

/// `GET /`
pub(crate) async fn show(visitor: Visitor, Query(done): Query<Done>) -> Response {
    if visitor.person.is_some() {
        return see_other("/memories");
    }
    let frame = Frame::new(&visitor, visitor.words().account.home_title, Section::None);
    page(StatusCode::OK, &HomePage { frame: frame.with_notice(done.done.as_deref()) })
}

/// Every other address.
pub(crate) async fn nowhere() -> PageError {
    PageError::not_found()
}
