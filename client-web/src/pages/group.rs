//! One group.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::directory;
use super::field_errors::FieldErrors;
use super::groups::{errors_of, is_own};
use super::memory::id_in;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, Group, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// What the address asks for: part of a name to look for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    person: String,
}

/// What shall happen to the group: a new name, somebody to add, or somebody to remove.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    name: String,
    add: String,
    remove: String,
    /// Not empty when the group shall go.
    delete: String,
}

/// Somebody on the page.
struct PersonView {
    id: Uuid,
    name: String,
    is_you: bool,
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    frame: Frame,
    id: Uuid,
    name: String,
    /// The name in the form, as it was typed.
    new_name: String,
    is_own: bool,
    owner: PersonView,
    members: Vec<PersonView>,
    /// Who could be added.
    others: Vec<PersonView>,
    wish: Wish,
    errors: FieldErrors,
}

/// `GET /groups/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let group = load(&state, &member, id).await.map_err(absent)?;
    let form = Form { new_name: group.name.clone(), wish, errors: FieldErrors::none() };
    Ok(group_page(&state, &member, group, form).await?)
}

/// `POST /groups/{id}`
pub(crate) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let path = format!("/api/groups/{id}");
    let (call, next) = if !fields.delete.is_empty() {
        (Call::send(Method::DELETE, &path, None), "/groups".to_owned())
    } else if !fields.add.is_empty() {
        let path = format!("{path}/members/{}", id_in(&fields.add)?);
        (Call::send(Method::PUT, &path, None), format!("/groups/{id}"))
    } else if !fields.remove.is_empty() {
        let leaver = id_in(&fields.remove)?;
        let is_leaving = member.server_user_id() == Some(leaver);
        let next = if is_leaving { "/groups".to_owned() } else { format!("/groups/{id}") };
        (Call::send(Method::DELETE, &format!("{path}/members/{leaver}"), None), next)
    } else {
        (Call::send(Method::PATCH, &path, Some(json!({ "name": fields.name.trim() }))), format!("/groups/{id}"))
    };
    match tokens::call::<Option<Group>>(&state, &member.person, &call).await {
        Ok(_) => Ok(see_other(&next)),
        Err(error) => refused_page(&state, &member, id, fields.name, &error).await,
    }
}

/// The group with what is wrong; where not even that can be had, a page with what was typed.
async fn refused_page(
    state: &AppState,
    member: &Member,
    id: Uuid,
    typed: String,
    error: &CallError,
) -> Result<Response, PageError> {
    let kept = || PageError::from(explained(error).keeping(&typed));
    let group = load(state, member, id).await.map_err(|_| kept())?;
    let new_name = if typed.is_empty() { group.name.clone() } else { typed.clone() };
    let form = Form { new_name, wish: Wish::default(), errors: errors_of(error, member.words()) };
    group_page(state, member, group, form).await.map_err(|_| kept())
}

async fn load(state: &AppState, member: &Member, id: Uuid) -> Result<Group, CallError> {
    tokens::call(state, &member.person, &Call::get(&format!("/api/groups/{id}"), &[])).await
}

/// What the page shows besides the group.
struct Form {
    new_name: String,
    wish: Wish,
    errors: FieldErrors,
}

/// A group that is not there is a page that is not there.
fn absent(error: CallError) -> PageError {
    match error {
        CallError::Tool(ToolError::NotFound) => explained(&error).into(),
        error => error.into(),
    }
}

fn explained(error: &CallError) -> Explanation {
    match error {
        CallError::Tool(ToolError::NotFound) => Explanation::new(StatusCode::NOT_FOUND, Reason::NoGroup),
        error => error.into(),
    }
}

async fn group_page(state: &AppState, member: &Member, group: Group, form: Form) -> Result<Response, CallError> {
    let Form { new_name, wish, errors } = form;
    let own_id = member.server_user_id();
    let everybody: Vec<Uuid> = group.members.iter().copied().chain([group.owner_id]).filter(|id| Some(*id) != own_id).collect();
    let is_own = is_own(&group, member);
    let (listed, found) = tokio::try_join!(directory::these(state, member, &everybody), async {
        if is_own && !wish.person.trim().is_empty() { directory::find(state, member, &wish.person).await } else { Ok(Vec::new()) }
    })?;
    let words = member.words();
    let view = |id: Uuid| {
        let is_you = own_id == Some(id);
        let name = if is_you {
            words.group.you.to_owned()
        } else {
            directory::names(&[id], &listed, words.memory.somebody)[&id].clone()
        };
        PersonView { id, name, is_you }
    };
    let is_new = |id: &Uuid| !group.members.contains(id) && *id != group.owner_id;
    let others = found.iter().filter(|entry| is_new(&entry.id));
    let others = others.map(|entry| PersonView { id: entry.id, name: directory::name(entry), is_you: false }).collect();
    let (owner, members) = (view(group.owner_id), group.members.iter().map(|id| view(*id)).collect());
    let frame = Frame::new(&member.visitor, group.name.as_str(), Section::Groups);
    let (id, name, status) = (group.id, group.name, errors.status);
    Ok(page(status, &GroupPage { frame, id, name, new_name, is_own, owner, members, others, wish, errors }))
}
