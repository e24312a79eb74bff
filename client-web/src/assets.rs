//! Files that are part of the program, under addresses that change with their content.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

const STYLESHEET: &str = include_str!("../static/style.css");
const ICON: &str = include_str!("../static/icon.svg");
const SCRIPT: &str = include_str!("../static/app.js");
/// The small pictures of all pages, for `<use>`. In the page itself, because no browser needs a policy for that.
pub(crate) const ICONS: &str = include_str!("../static/icons.svg");

const STYLESHEET_TAG: u64 = content_tag(STYLESHEET.as_bytes());
const ICON_TAG: u64 = content_tag(ICON.as_bytes());
const SCRIPT_TAG: u64 = content_tag(SCRIPT.as_bytes());

/// FNV-1a, at compile time: it only has to differ when the content does.
const fn content_tag(content: &[u8]) -> u64 {
    let mut tag: u64 = 0xcbf2_9ce4_8422_2325;
    let mut index = 0;
    while index < content.len() {
        tag = (tag ^ content[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    tag
}

/// Address of the stylesheet.
pub(crate) fn stylesheet_path() -> String {
    format!("/static/{STYLESHEET_TAG:016x}/style.css")
}

/// Address of the icon.
pub(crate) fn icon_path() -> String {
    format!("/static/{ICON_TAG:016x}/icon.svg")
}

/// Address of the script.
pub(crate) fn script_path() -> String {
    format!("/static/{SCRIPT_TAG:016x}/app.js")
}

/// Serves a file; an address of another version's content does not exist.
pub(crate) async fn serve(Path((tag, name)): Path<(String, String)>) -> Response {
    let (kind, body) = match format!("/static/{tag}/{name}") {
        path if path == stylesheet_path() => ("text/css; charset=utf-8", STYLESHEET),
        path if path == script_path() => ("text/javascript; charset=utf-8", SCRIPT),
        path if path == icon_path() => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, body).into_response()
}

/// The address that browsers ask for by themselves.
pub(crate) async fn favicon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "public, max-age=86400")], ICON).into_response()
}
