//! Files that are part of the program, under addresses that change with their content.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use picard_crypto::hash_token;

use crate::request::not_found;

/// One design for both programs: the web client's stylesheet and icon.
const STYLESHEET: &str = include_str!("../../../../client-web/static/style.css");
const ICON: &str = include_str!("../../../../client-web/static/icon.svg");

fn path(name: &str, content: &str) -> String {
    let tag: String = hash_token(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/static/{tag}/{name}")
}

/// Address of the stylesheet.
pub(crate) fn stylesheet_path() -> String {
    path("style.css", STYLESHEET)
}

/// Address of the icon.
pub(crate) fn icon_path() -> String {
    path("icon.svg", ICON)
}

/// Serves a file; an address of another version's content does not exist.
pub(crate) async fn serve(Path((tag, name)): Path<(String, String)>) -> Response {
    let (kind, body) = match format!("/static/{tag}/{name}") {
        path if path == stylesheet_path() => ("text/css; charset=utf-8", STYLESHEET),
        path if path == icon_path() => ("image/svg+xml", ICON),
        _ => return not_found().await.into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], body).into_response()
}
