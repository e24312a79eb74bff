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
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{Call, DirectoryEntry, Group, GroupPage, Memory, SharedWith};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::MemoryWords;

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
    id: Uuid,
    /// The beginning of the memory; empty when it could not be asked for.
    excerpt: String,
    fields: Fields,
    errors: FieldErrors,
    groups: Vec<Choice>,
    /// Names of groups that the memory is shared with although the person has left them. The server keeps none of them
    /// when the list is saved.
    left: Vec<String>,
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
    if member.server_user_id() != Some(memory.user_id) {
        return Err(PageError::not_found());
    }
    let ticked = memory.shared_with.clone().unwrap_or_default();
    let around = Around::ask(&state, &member, "", &ticked.users).await.complete()?;
    let fields = Fields { permission: memory.permission.as_str().to_owned(), ..Fields::default() };
    let form = Form { fields, ticked, errors: FieldErrors::none() };
    let frame = frame(&member).with_notice(done.done.as_deref());
    Ok(sharing_page(frame, memory.id, Some(&memory), form, around))
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
    // What was ticked is shown again whatever else cannot be had.
    let around = Around::ask(&state, &member, &fields.person, &ticked.users);
    let (around, memory) = tokio::join!(around, load(&state, &member.person, id));
    if let (true, Some(error)) = (errors.is_empty(), around.found.as_ref().err()) {
        errors = MemoryFields::errors_of(error, member.words());
    }
    let form = Form { fields, ticked, errors };
    Ok(sharing_page(frame(&member), id, memory.as_ref().ok(), form, around))
}

fn frame(member: &Member) -> Frame {
    Frame::new(&member.visitor, member.words().memory.sharing_title, Section::Memories)
}

/// What was sent, or what is stored, and what is wrong with it.
struct Form {
    fields: Fields,
    ticked: SharedWith,
    errors: FieldErrors,
}

/// With whom the memory could be shared.
struct Around {
    groups: Result<Vec<Group>, CallError>,
    /// Whoever has the name that was looked for.
    found: Result<Vec<DirectoryEntry>, CallError>,
    /// Whoever is ticked.
    named: Result<Vec<DirectoryEntry>, CallError>,
}

impl Around {
    async fn ask(state: &AppState, member: &Member, name: &str, ticked: &[Uuid]) -> Self {
        let call = Call::get("/api/groups", &[("limit", "200")]);
        let (groups, found, named) = tokio::join!(
            tokens::call::<GroupPage>(state, &member.person, &call),
            directory::find(state, member, name),
            directory::these(state, member, ticked),
        );
        Self { groups: groups.map(|page| page.groups), found, named }
    }

    /// Nothing may be missing.
    fn complete(self) -> Result<Self, CallError> {
        Ok(Self { groups: Ok(self.groups?), found: Ok(self.found?), named: Ok(self.named?) })
    }
}

fn sharing_page(frame: Frame, id: Uuid, memory: Option<&Memory>, form: Form, around: Around) -> Response {
    let (status, words) = (form.errors.status, &frame.words.memory);
    let is_searched = !form.fields.person.trim().is_empty();
    let is_nobody_found = is_searched && around.found.as_ref().is_ok_and(Vec::is_empty);
    let (found, named) = (around.found.unwrap_or_default(), around.named.unwrap_or_default());
    let shared_with = memory.and_then(|memory| memory.shared_with.as_ref());
    let template = SharingPage {
        id,
        excerpt: memory.map(|memory| markdown::excerpt(&memory.text, 280)).unwrap_or_default(),
        left: around.groups.as_ref().map(|own| left(own, shared_with, words)).unwrap_or_default(),
        groups: group_choices(around.groups.ok(), &form.ticked, words),
        is_nobody_found,
        people: people_choices(&found, &named, &form.ticked, words.somebody),
        fields: form.fields,
        errors: form.errors,
        frame,
    };
    page(status, &template)
}

/// Where the groups could not be asked for, those that are ticked stay, without their names.
fn group_choices(own: Option<Vec<Group>>, ticked: &SharedWith, words: &MemoryWords) -> Vec<Choice> {
    match own {
        Some(own) => {
            let choice = |group: Group| Choice { id: group.id, name: group.name, is_ticked: ticked.groups.contains(&group.id) };
            own.into_iter().map(choice).collect()
        }
        None => {
            let choice = |id: &Uuid| Choice { id: *id, name: directory::unnamed(words.some_group, *id), is_ticked: true };
            ticked.groups.iter().map(choice).collect()
        }
    }
}

fn left(own: &[Group], shared_with: Option<&SharedWith>, words: &MemoryWords) -> Vec<String> {
    let ids = shared_with.map(|list| list.groups.as_slice()).unwrap_or_default();
    let is_left = |id: &&Uuid| own.iter().all(|group| group.id != **id);
    ids.iter().filter(is_left).map(|id| directory::unnamed(words.left_group, *id)).collect()
}

/// Those who are ticked come first.
fn people_choices(found: &[DirectoryEntry], named: &[DirectoryEntry], ticked: &SharedWith, somebody: &str) -> Vec<Choice> {
    let mut names = directory::names(&ticked.users, named, somebody);
    names.extend(found.iter().map(|entry| (entry.id, directory::name(entry))));
    let choice = |(id, name): (Uuid, String)| Choice { id, name, is_ticked: ticked.users.contains(&id) };
    let mut choices: Vec<Choice> = names.into_iter().map(choice).collect();
    choices.sort_by_key(|choice| (!choice.is_ticked, choice.name.to_lowercase()));
    choices
}

/// With whom a memory of the person's own is shared, for reading.
pub(super) async fn names(state: &AppState, member: &Member, shared_with: &SharedWith) -> Result<Vec<String>, CallError> {
    let call = Call::get("/api/groups", &[("limit", "200")]);
    let groups = tokens::call::<GroupPage>(state, &member.person, &call);
    let (own, named) = tokio::try_join!(groups, directory::these(state, member, &shared_with.users))?;
    let (own, words) = (own.groups, &member.words().memory);
    let people = directory::names(&shared_with.users, &named, words.somebody).into_values();
    let groups = own.iter().filter(|group| shared_with.groups.contains(&group.id)).map(|group| group.name.clone());
    Ok(groups.chain(people).chain(left(&own, Some(shared_with), words)).collect())
}
