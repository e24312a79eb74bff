//! The groups that a person owns or is in.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::field_errors::{FieldErrors, FieldName};
use super::home::Done;
use crate::error::{PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, Group, GroupPage};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::{Words, fill};

/// What a new group is called.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    name: String,
}

struct GroupView {
    id: Uuid,
    name: String,
    is_own: bool,
    size: String,
}

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    frame: Frame,
    /// `None` when they could not be asked for.
    groups: Option<Vec<GroupView>>,
    fields: Fields,
    errors: FieldErrors,
}

/// What the server said about a form with a group's name or members.
pub(super) fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let fields = [
        FieldName::new("name", "name", words.group.name_label, words.group.name_rule),
        FieldName::new("user_id", "person", words.group.member_label, words.group.member_rule),
    ];
    FieldErrors::of_call_about(Reason::NoPerson, error, &fields, words)
}

/// `GET /groups`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(done): Query<Done>) -> Result<Response, PageError> {
    list_page(&state, &member, Fields::default(), FieldErrors::none(), done.done.as_deref()).await
}

/// `POST /groups`
pub(crate) async fn create(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let call = Call::send(Method::POST, "/api/groups", Some(json!({ "name": fields.name.trim() })));
    match tokens::call::<Group>(&state, &member.person, &call).await {
        Ok(group) => Ok(see_other(&format!("/groups/{}", group.id))),
        Err(error) => {
            let errors = errors_of(&error, member.words());
            list_page(&state, &member, fields, errors, None).await
        }
    }
}

async fn list_page(
    state: &AppState,
    member: &Member,
    fields: Fields,
    errors: FieldErrors,
    done: Option<&str>,
) -> Result<Response, PageError> {
    let call = Call::get("/api/groups", &[("limit", "200")]);
    let found = match tokens::call::<GroupPage>(state, &member.person, &call).await {
        Ok(found) => Some(found.groups),
        // What was typed is not lost because the list is not there.
        Err(_) if !errors.is_empty() => None,
        Err(error) => return Err(error.into()),
    };
    let frame = Frame::new(&member.visitor, member.words().group.title, Section::Groups).with_notice(done);
    let status = errors.status;
    let groups = found.map(|groups| groups.into_iter().map(|group| view(group, member)).collect());
    Ok(page(status, &GroupsPage { frame, groups, fields, errors }))
}

fn view(group: Group, member: &Member) -> GroupView {
    let words = &member.words().group;
    let size = match group.members.len() {
        1 => words.people_one.to_owned(),
        many => fill(words.people_many, many),
    };
    GroupView { is_own: is_own(&group, member), id: group.id, name: group.name, size }
}

/// Whether the group is the person's to change.
pub(super) fn is_own(group: &Group, member: &Member) -> bool {
    member.server_user_id() == Some(group.owner_id)
}
