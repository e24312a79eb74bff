//! Deleting a memory, and taking that back.
//!
//! The server keeps nothing of a deleted memory and this application keeps nothing of any. So what was deleted is in
//! the page that says so, and nowhere else: from there it can be stored once more, as a new memory.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::memory::{id_in, load};
use super::memory_fields::MemoryFields;
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::moments;
use crate::server_client::{Memory, Permission, SharedWith};
use crate::state::AppState;
use crate::tokens;

/// The form that deletes has nothing but its token.
#[derive(Deserialize)]
pub(crate) struct DeleteFields {}

/// What was deleted. The text is a field of its own, so that it is shown if the form is not accepted.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct UndoFields {
    text: String,
    rest: String,
}

/// The rest of what was deleted.
#[derive(Serialize, Deserialize)]
struct Rest {
    permission: Permission,
    tags: Vec<String>,
    category: Option<String>,
    expiration_date: Option<String>,
    shared_with: Option<SharedWith>,
    /// Taking it back twice stores it once.
    idempotency_key: String,
}

impl Rest {
    fn of(memory: &Memory) -> Self {
        Self {
            permission: memory.permission,
            tags: memory.tags.clone(),
            category: memory.category.clone(),
            // A time that has passed would be refused.
            expiration_date: memory.expiration_date.filter(|_| !memory.is_expired).map(moments::machine),
            shared_with: memory.shared_with.clone(),
            idempotency_key: Uuid::new_v4().to_string(),
        }
    }

    fn submission(&self, text: &str) -> Value {
        let mut data = json!({
            "text": text, "permission": self.permission.as_str(), "tags": self.tags,
            "idempotency_key": self.idempotency_key,
        });
        if let Some(category) = &self.category {
            data["category"] = category.as_str().into();
        }
        if let Some(expiration_date) = &self.expiration_date {
            data["expiration_date"] = expiration_date.as_str().into();
        }
        if let Some(shared_with) = &self.shared_with {
            data["shared_with"] = json!(shared_with);
        }
        data
    }
}

#[derive(Template)]
#[template(path = "memory_deleted.html")]
struct DeletedPage {
    frame: Frame,
    excerpt: String,
    text: String,
    rest: String,
    problem: Option<(&'static str, String)>,
}

/// `POST /memories/{id}/delete`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, .. }: MemberForm<DeleteFields>,
) -> Result<Response, PageError> {
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    let rest = serde_json::to_string(&Rest::of(&memory)).map_err(PageError::internal)?;
    tokens::call_tool::<Value>(&state, &member.person, "delete_memory", &json!({ "memory_id": memory.id })).await?;
    let frame = Frame::new(&member.visitor, member.words().memory.deleted_title, Section::Memories);
    let excerpt = markdown::excerpt(&memory.text, 280);
    let template = DeletedPage { frame: frame.with_notice(Some("deleted")), excerpt, text: memory.text, rest, problem: None };
    Ok(page(StatusCode::OK, &template))
}

/// `POST /memories/undo`
pub(crate) async fn undo(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<UndoFields>,
) -> Result<Response, PageError> {
    let text = MemoryFields::line_ends(&fields.text);
    let rest: Rest = serde_json::from_str(&fields.rest).map_err(|_| Explanation::of_status(StatusCode::BAD_REQUEST))?;
    match tokens::call_tool::<Memory>(&state, &member.person, "submit_memory", &rest.submission(&text)).await {
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=undone", memory.id))),
        Err(error) => {
            let explanation = Explanation::from(&error);
            let frame = Frame::new(&member.visitor, member.words().memory.deleted_title, Section::Memories);
            let (excerpt, problem) = (markdown::excerpt(&text, 280), explanation.reason.said(member.words()));
            let template = DeletedPage { frame, excerpt, text, rest: fields.rest, problem: Some(problem) };
            Ok(page(explanation.status, &template))
        }
    }
}
