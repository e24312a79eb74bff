//! Deleting a memory.
//!
//! The server keeps nothing of a deleted memory and this application keeps nothing of any. So what was deleted is in
//! the page that says so, and nowhere else: from there it can be stored once more, as a new memory (`memory_undo`).

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::memory::{id_in, load};
use super::memory_undo::{DeletedPage, Rest};
use crate::error::{Explanation, PageError};
use crate::form::MemberForm;
use crate::server_client::{Memory, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// The form that deletes has nothing but its token.
#[derive(Deserialize)]
pub(crate) struct DeleteFields {}

/// `POST /memories/{id}/delete`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, .. }: MemberForm<DeleteFields>,
) -> Result<Response, PageError> {
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    let data = json!({ "memory_id": memory.id });
    match tokens::call_tool::<Value>(&state, &member.person, "delete_memory", &data).await {
        Ok(_) => deleted_page(&member, memory, None),
        Err(error @ CallError::Tool(ToolError::Outage(_))) => after_outage(&state, &member, memory, &error).await,
        Err(error) => Err(error.into()),
    }
}

/// Nobody knows whether it was deleted before the answer was lost. This page may be the last place where its text is.
async fn after_outage(state: &AppState, member: &Member, memory: Memory, error: &CallError) -> Result<Response, PageError> {
    let data = json!({ "memory_id": memory.id });
    match tokens::call_tool::<Memory>(state, &member.person, "get_memory", &data).await {
        Err(CallError::Tool(ToolError::NotFound)) => deleted_page(member, memory, None),
        Ok(_) => Err(Explanation::from(error).into()),
        Err(_) => deleted_page(member, memory, Some(error)),
    }
}

fn deleted_page(member: &Member, memory: Memory, error: Option<&CallError>) -> Result<Response, PageError> {
    let rest = serde_json::to_string(&Rest::of(&memory)).map_err(PageError::internal)?;
    let mut template = DeletedPage::new(member, memory.text, rest);
    let Some(error) = error else {
        template.frame = template.frame.with_notice(Some("deleted"));
        return Ok(template.response());
    };
    Ok(template.uncertain(memory.id, error, member).response())
}
