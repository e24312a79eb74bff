//! One group.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::directory;
use super::field_errors::FieldErrors;
use super::groups::{errors_of, is_own};
use super::memory::id_in;
use crate::error::{PageError, see_other};
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
    group_page(&state, &member, id_in(&id)?, wish, FieldErrors::none()).await
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
        let is_leaving = member.person.connection.as_ref().is_some_and(|connection| connection.server_user_id == leaver);
        let next = if is_leaving { "/groups".to_owned() } else { format!("/groups/{id}") };
        (Call::send(Method::DELETE, &format!("{path}/members/{leaver}"), None), next)
    } else {
        (Call::send(Method::PATCH, &path, Some(json!({ "name": fields.name.trim() }))), format!("/groups/{id}"))
    };
    match tokens::call::<Option<Group>>(&state, &member.person, &call).await {
        Ok(_) => Ok(see_other(&next)),
        Err(error @ CallError::Connection(_)) => Err(error.into()),
        Err(error) => group_page(&state, &member, id, Wish::default(), errors_of(&error, member.words())).await,
    }
}

/// A group that is not there is a page that is not there.
fn absent(error: CallError) -> PageError {
    match error {
        CallError::Tool(ToolError::NotFound) => PageError::not_found(),
        error => error.into(),
    }
}

async fn group_page(state: &AppState, member: &Member, id: Uuid, wish: Wish, errors: FieldErrors) -> Result<Response, PageError> {
    let call = Call::get(&format!("/api/groups/{id}"), &[]);
    let group: Group = tokens::call(state, &member.person, &call).await.map_err(absent)?;
    let listed = directory::find(state, member, "").await?;
    let own_id = member.person.connection.as_ref().map(|connection| connection.server_user_id);
    let words = member.words();
    let somebody = words.memory.somebody;
    let view = |id: Uuid| {
        let is_you = own_id == Some(id);
        let name = if is_you { words.group.you.to_owned() } else { directory::names(&[id], &listed, somebody)[&id].clone() };
        PersonView { id, name, is_you }
    };
    let is_own = is_own(&group, member);
    let found =
        if is_own && !wish.person.trim().is_empty() { directory::find(state, member, &wish.person).await? } else { Vec::new() };
    let is_new = |id: &Uuid| !group.members.contains(id) && *id != group.owner_id;
    let others = found.iter().filter(|entry| is_new(&entry.id));
    let others = others.map(|entry| PersonView { id: entry.id, name: directory::name(entry), is_you: false }).collect();
    let (owner, members) = (view(group.owner_id), group.members.iter().map(|id| view(*id)).collect());
    let frame = Frame::new(&member.visitor, group.name.as_str(), Section::Groups);
    let status = errors.status;
    let template = GroupPage { frame, id, name: group.name.clone(), is_own, owner, members, others, wish, errors };
    Ok(page(status, &template))
}
