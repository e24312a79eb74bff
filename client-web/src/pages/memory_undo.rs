//! Taking a deletion back: what was deleted is stored once more, as a new memory.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::memory_fields::MemoryFields;
use crate::clock;
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::moments;
use crate::server_client::{Call, GroupPage, Memory, Permission, SharedWith, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// What was deleted. The text is a field of its own, so that it is shown if the form is not accepted.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct UndoFields {
    text: String,
    rest: String,
}

/// The rest of what was deleted.
#[derive(Serialize, Deserialize)]
pub(super) struct Rest {
    permission: Permission,
    tags: Vec<String>,
    category: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    expiration_date: Option<OffsetDateTime>,
    shared_with: Option<SharedWith>,
    /// Taking it back twice stores it once.
    idempotency_key: String,
}

impl Rest {
    pub(super) fn of(memory: &Memory) -> Self {
        Self {
            permission: memory.permission,
            tags: memory.tags.clone(),
            category: memory.category.clone(),
            expiration_date: memory.expiration_date,
            shared_with: memory.shared_with.clone(),
            idempotency_key: Uuid::new_v4().to_string(),
        }
    }

    fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expiration_date.is_some_and(|moment| moment <= now)
    }

    /// What `submit_memory` takes. A time that has passed would be refused; and what nobody else could see any more must
    /// not be shown to others again because its owner takes a deletion back.
    fn submission(&self, text: &str, now: OffsetDateTime) -> Value {
        let permission = if self.is_expired(now) { Permission::Private } else { self.permission };
        let mut data = json!({
            "text": text, "permission": permission.as_str(), "tags": self.tags, "idempotency_key": self.idempotency_key,
        });
        if let Some(category) = &self.category {
            data["category"] = category.as_str().into();
        }
        if self.is_expired(now) {
            return data;
        }
        if let Some(expiration_date) = self.expiration_date {
            data["expiration_date"] = moments::machine(expiration_date).into();
        }
        if let Some(shared_with) = &self.shared_with {
            data["shared_with"] = json!(shared_with);
        }
        data
    }
}

/// What was deleted, with the form that takes it back.
#[derive(Template)]
#[template(path = "memory_deleted.html")]
pub(super) struct DeletedPage {
    pub(super) frame: Frame,
    excerpt: String,
    text: String,
    rest: String,
    status: StatusCode,
    /// What went wrong; the whole text is shown then, to be copied.
    problem: Option<(&'static str, String)>,
    /// The memory that may still be there.
    uncertain: Option<Uuid>,
}

impl DeletedPage {
    pub(super) fn new(member: &Member, text: String, rest: String) -> Self {
        let frame = Frame::new(&member.visitor, member.words().memory.deleted_title, Section::Memories);
        let excerpt = markdown::excerpt(&text, 280);
        Self { frame, excerpt, text, rest, status: StatusCode::OK, problem: None, uncertain: None }
    }

    fn failed(mut self, explanation: &Explanation, member: &Member) -> Self {
        self.status = explanation.status;
        self.problem = Some(explanation.reason.said(member.words()));
        self
    }

    /// The answer to a deletion was lost.
    pub(super) fn uncertain(mut self, id: Uuid, error: &CallError, member: &Member) -> Self {
        self = self.failed(&Explanation::from(error), member);
        self.uncertain = Some(id);
        self
    }

    pub(super) fn response(&self) -> Response {
        page(self.status, self)
    }
}

/// `POST /memories/undo`
pub(crate) async fn undo(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<UndoFields>,
) -> Result<Response, PageError> {
    let text = MemoryFields::line_ends(&fields.text);
    let Ok(rest) = serde_json::from_str::<Rest>(&fields.rest) else {
        return Err(Explanation::of_status(StatusCode::BAD_REQUEST).keeping(&text).into());
    };
    match store(&state, &member, &rest, &text).await {
        Ok(memory) => Ok(see_other(&format!("/memories/{}?done=undone", memory.id))),
        Err(error) => Ok(DeletedPage::new(&member, text, fields.rest).failed(&Explanation::from(&error), &member).response()),
    }
}

async fn store(state: &AppState, member: &Member, rest: &Rest, text: &str) -> Result<Memory, CallError> {
    let mut data = rest.submission(text, clock::now());
    let first = tokens::call_tool(state, &member.person, "submit_memory", &data).await;
    let Err(CallError::Tool(ToolError::Invalid(messages))) = &first else { return first };
    let Some(groups) = data["shared_with"]["groups"].as_array() else { return first };
    if !messages.iter().any(|message| message.field.starts_with("shared_with")) {
        return first;
    }
    // One may have left a group that the memory was shared with.
    let own: GroupPage = tokens::call(state, &member.person, &Call::get("/api/groups", &[("limit", "200")])).await?;
    let is_own = |id: &&Value| own.groups.iter().any(|group| **id == json!(group.id));
    data["shared_with"]["groups"] = groups.iter().filter(is_own).cloned().collect();
    tokens::call_tool(state, &member.person, "submit_memory", &data).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::Rest;

    #[test]
    fn what_had_expired_comes_back_to_nobody_but_its_owner() {
        let rest = json!({
            "permission": "public", "tags": ["a"], "category": "c", "expiration_date": "2026-01-01T00:00:00Z",
            "shared_with": {"users": [], "groups": []}, "idempotency_key": "k",
        });
        let rest: Rest = serde_json::from_value(rest).expect("the rest");

        let before = rest.submission("tea", datetime!(2025-12-31 23:59 UTC));
        let after = rest.submission("tea", datetime!(2026-01-01 0:00 UTC));

        assert_eq!((&before["permission"], &before["expiration_date"]), (&json!("public"), &json!("2026-01-01T00:00:00Z")));
        let expected = json!({"text": "tea", "permission": "private", "tags": ["a"], "category": "c", "idempotency_key": "k"});
        assert_eq!(after, expected);
    }
}
