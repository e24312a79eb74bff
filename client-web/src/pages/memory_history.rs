//! What a memory said before, and bringing that back.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::memory::id_in;
use super::memory_view::{MomentView, permission_label};
use crate::diff::{self, Piece};
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Memory, Version, VersionPage};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;
use crate::words::fill;

/// Versions on one page.
const PAGE_SIZE: u32 = 20;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    cursor: String,
}

/// Which version shall come back.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    version: String,
}

struct VersionView {
    number: i64,
    heading: String,
    changed: MomentView,
    permission: &'static str,
    /// Compared with the version before.
    pieces: Vec<Piece>,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "memory_history.html")]
struct HistoryPage {
    frame: Frame,
    id: Uuid,
    versions: Vec<VersionView>,
    next: Option<String>,
}

/// `GET /memories/{id}/history`
pub(crate) async fn show(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let mut data = json!({ "memory_id": id, "limit": PAGE_SIZE });
    if !wish.cursor.is_empty() {
        data["cursor"] = wish.cursor.as_str().into();
    }
    let found: VersionPage = tokens::call_tool(&state, &member.person, "memory_history", &data).await?;
    let next = found.next_cursor.as_deref().map(|cursor| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish();
        format!("/memories/{id}/history?{query}")
    });
    let before = before(&state, &member, id, found.next_cursor.as_deref()).await?;
    let versions = views(&found, before.as_ref(), &member, wish.cursor.is_empty());
    let frame = Frame::new(&member.visitor, member.words().memory.history_title, Section::Memories);
    Ok(page(StatusCode::OK, &HistoryPage { frame, id, versions, next }))
}

/// The version before the last one of a page, to compare that one with.
async fn before(state: &AppState, member: &Member, id: Uuid, cursor: Option<&str>) -> Result<Option<Version>, PageError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let data = json!({ "memory_id": id, "limit": 1, "cursor": cursor });
    let found: VersionPage = tokens::call_tool(state, &member.person, "memory_history", &data).await?;
    Ok(found.versions.into_iter().next())
}

fn views(found: &VersionPage, before: Option<&Version>, member: &Member, is_first_page: bool) -> Vec<VersionView> {
    let words = &member.words().memory;
    let view = |(index, version): (usize, &Version)| VersionView {
        number: version.version,
        heading: fill(words.version, version.version),
        changed: MomentView::new(version.changed_at, member.preferences()),
        permission: permission_label(version.permission, words),
        pieces: match found.versions.get(index + 1).or(before) {
            Some(earlier) => diff::compare(&earlier.text, &version.text),
            None => vec![Piece::Same(version.text.clone())],
        },
        is_current: is_first_page && index == 0,
    };
    found.versions.iter().enumerate().map(view).collect()
}

/// `POST /memories/{id}/restore`
pub(crate) async fn restore(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let version: i64 = fields.version.parse().map_err(|_| Explanation::of_status(StatusCode::BAD_REQUEST))?;
    let data = json!({ "memory_id": id, "version": version });
    tokens::call_tool::<Memory>(&state, &member.person, "restore_memory", &data).await?;
    Ok(see_other(&format!("/memories/{id}?done=restored")))
}
