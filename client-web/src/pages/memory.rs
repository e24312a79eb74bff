//! One memory.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::home::Done;
use super::memory_sharing;
use super::memory_view::MemoryView;
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{Memory, Permission};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::{Member, Person};

/// Who shall see the memory.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct PermissionFields {
    permission: String,
}

#[derive(Template)]
#[template(path = "memory.html")]
struct MemoryPage {
    frame: Frame,
    memory: MemoryView,
    /// With whom it is shared; `None` when it is not, `Some(None)` when that could not be found out.
    shared_with: Option<Option<Vec<String>>>,
    /// The text, safe to put into the page.
    html: String,
}

/// Reads the id in a path; what is no id is a page that does not exist.
pub(super) fn id_in(path: &str) -> Result<Uuid, PageError> {
    path.parse().map_err(|_| PageError::not_found())
}

/// Loads one memory.
pub(super) async fn load(state: &AppState, person: &Person, id: Uuid) -> Result<Memory, PageError> {
    Ok(tokens::call_tool(state, person, "get_memory", &json!({ "memory_id": id })).await?)
}

/// `GET /memories/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    let title = markdown::excerpt(&memory.text, 60);
    let frame = Frame::new(&member.visitor, title, Section::Memories).with_notice(done.done.as_deref());
    let view = MemoryView::new(&memory, &member);
    let (html, shared_with) = tokio::join!(markdown::rendered(memory.text.clone()), shared_with(&state, &member, &memory));
    Ok(page(StatusCode::OK, &MemoryPage { frame, memory: view, shared_with, html }))
}

async fn shared_with(state: &AppState, member: &Member, memory: &Memory) -> Option<Option<Vec<String>>> {
    let list = memory.shared_with.as_ref().filter(|_| memory.permission == Permission::Shared)?;
    // The memory is worth showing without them.
    Some(memory_sharing::names(state, member, list).await.ok())
}

/// `POST /memories/{id}/permission`
pub(crate) async fn set_permission(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<PermissionFields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    if !matches!(fields.permission.as_str(), "private" | "public") {
        return Err(Explanation::of_status(StatusCode::UNPROCESSABLE_ENTITY).into());
    }
    let data = json!({ "memory_id": id, "permission": fields.permission });
    tokens::call_tool::<Value>(&state, &member.person, "modify_permissions", &data).await?;
    Ok(see_other(&format!("/memories/{id}?done={}", fields.permission)))
}
