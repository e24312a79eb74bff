//! Who may see a memory, and with whom it is shared.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::directory;
use super::field_errors::FieldErrors;
use super::home::Done;
use super::memory::{id_in, load};
use super::memory_fields::MemoryFields;
use super::memory_view::MemoryView;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, DirectoryEntry, Group, GroupPage, SharedWith};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// The form as it was sent. Ticked boxes are members like `user:<id>` and `group:<id>`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    permission: String,
    /// Part of a name to look for.
    person: String,
    /// Not empty when the person only wants to look for somebody.
    find: String,
    #[serde(flatten)]
    boxes: HashMap<String, String>,
}

/// A person or a group that can be ticked.
struct Choice {
    id: Uuid,
    name: String,
    is_ticked: bool,
}

#[derive(Template)]
#[template(path = "memory_sharing.html")]
struct SharingPage {
    frame: Frame,
    memory: MemoryView,
    fields: Fields,
    errors: FieldErrors,
    groups: Vec<Choice>,
    people: Vec<Choice>,
    is_nobody_found: bool,
}

impl Fields {
    fn ticked(&self) -> SharedWith {
        let ids = |kind: &str| {
            let mut ids: Vec<Uuid> = self.boxes.keys().filter_map(|name| name.strip_prefix(kind)?.parse().ok()).collect();
            ids.sort_unstable();
            ids
        };
        SharedWith { users: ids("user:"), groups: ids("group:") }
    }
}

/// `GET /memories/{id}/sharing`
pub(crate) async fn show(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    member.may_write()?;
    let memory = load(&state, &member.person, id_in(&id)?).await?;
    let fields = Fields { permission: memory.permission.as_str().to_owned(), ..Fields::default() };
    let ticked = memory.shared_with.clone().unwrap_or_default();
    let memory = MemoryView::new(&memory, &member);
    if !memory.is_own {
        return Err(PageError::not_found());
    }
    let form = Form { memory, fields, ticked, errors: FieldErrors::none() };
    sharing_page(&state, &member, form, done.done.as_deref()).await
}

/// `POST /memories/{id}/sharing`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let ticked = fields.ticked();
    let mut errors = FieldErrors::none();
    if fields.find.is_empty() {
        let data = json!({ "memory_id": id, "permission": fields.permission, "shared_with": ticked });
        match tokens::call_tool::<Value>(&state, &member.person, "modify_permissions", &data).await {
            Ok(_) => return Ok(see_other(&format!("/memories/{id}?done=shared"))),
            Err(error) => errors = MemoryFields::errors_of(&error, member.words()),
        }
    }
    let memory = MemoryView::new(&load(&state, &member.person, id).await?, &member);
    sharing_page(&state, &member, Form { memory, fields, ticked, errors }, None).await
}

/// What the page shows besides what it asks the server for.
struct Form {
    memory: MemoryView,
    fields: Fields,
    ticked: SharedWith,
    errors: FieldErrors,
}

async fn sharing_page(state: &AppState, member: &Member, form: Form, done: Option<&str>) -> Result<Response, PageError> {
    let groups: GroupPage = tokens::call(state, &member.person, &Call::get("/api/groups", &[("limit", "200")])).await?;
    let others = directory::find(state, member, &form.fields.person).await?;
    let is_searched = !form.fields.person.trim().is_empty();
    let frame = Frame::new(&member.visitor, member.words().memory.sharing_title, Section::Memories).with_notice(done);
    let status = form.errors.status;
    let template = SharingPage {
        frame,
        memory: form.memory,
        groups: group_choices(groups.groups, &form.ticked),
        is_nobody_found: is_searched && others.is_empty(),
        people: people_choices(&others, &form.ticked, member.words().memory.somebody),
        fields: form.fields,
        errors: form.errors,
    };
    Ok(page(status, &template))
}

fn group_choices(groups: Vec<Group>, ticked: &SharedWith) -> Vec<Choice> {
    let choice = |group: Group| Choice { id: group.id, name: group.name, is_ticked: ticked.groups.contains(&group.id) };
    groups.into_iter().map(choice).collect()
}

/// Those who are ticked come first.
fn people_choices(found: &[DirectoryEntry], ticked: &SharedWith, somebody: &str) -> Vec<Choice> {
    let mut names = directory::names(&ticked.users, found, somebody);
    names.extend(found.iter().map(|entry| (entry.id, directory::name(entry))));
    let choice = |(id, name): (Uuid, String)| Choice { id, name, is_ticked: ticked.users.contains(&id) };
    let mut choices: Vec<Choice> = names.into_iter().map(choice).collect();
    choices.sort_by_key(|choice| (!choice.is_ticked, choice.name.to_lowercase()));
    choices
}
