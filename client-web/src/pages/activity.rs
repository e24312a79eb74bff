//! What the person did, and who read their memories.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::directory;
use super::memory_view::MomentView;
use crate::error::PageError;
use crate::frame::{Frame, Section, page};
use crate::server_client::{ActivityPage, Call, Connections, Event};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;
use crate::words::{Words, fill};

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    event: String,
    cursor: String,
}

struct EventView {
    label: String,
    moment: MomentView,
    /// Who did it, when it was somebody else.
    by: Option<String>,
    /// The application that it was done with.
    through: Option<String>,
    memories: Vec<Uuid>,
}

#[derive(Template)]
#[template(path = "activity.html")]
struct EventsPage {
    frame: Frame,
    events: Vec<EventView>,
    is_about_reads: bool,
    is_first: bool,
    next: Option<String>,
}

/// `GET /activity`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    let is_about_reads = wish.event == "memories_read";
    let mut query = vec![("limit", "50")];
    if is_about_reads {
        query.push(("event", "memories_read"));
    }
    if !wish.cursor.is_empty() {
        query.push(("cursor", wish.cursor.as_str()));
    }
    let found: ActivityPage = tokens::call(&state, &member.person, &Call::get("/api/users/me/activity", &query)).await?;
    let events = views(&state, &member, &found.events).await;
    let next = found.next_cursor.as_deref().map(|cursor| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if is_about_reads {
            query.append_pair("event", "memories_read");
        }
        format!("/activity?{}", query.append_pair("cursor", cursor).finish())
    });
    let frame = Frame::new(&member.visitor, member.words().figure.activity, Section::Activity);
    let is_first = wish.cursor.is_empty();
    Ok(page(StatusCode::OK, &EventsPage { frame, events, is_about_reads, is_first, next }))
}

/// Names of people and applications are an extra: without them the page is less readable, but no worse.
async fn views(state: &AppState, member: &Member, events: &[Event]) -> Vec<EventView> {
    let listed = directory::find(state, member, "").await.unwrap_or_default();
    let connections = tokens::call::<Connections>(state, &member.person, &Call::get("/api/connections", &[])).await;
    let connections = connections.map(|answer| answer.connections).unwrap_or_default();
    let applications: HashMap<String, String> =
        connections.into_iter().map(|connection| (connection.client_id, connection.client_name)).collect();
    let own_id = member.person.connection.as_ref().map(|connection| connection.server_user_id);
    let words = member.words();
    let view = |event: &Event| EventView {
        label: label(&event.event, words),
        moment: MomentView::new(event.happened_at, member.preferences()),
        by: event.user_id.filter(|id| Some(*id) != own_id).map(|id| {
            let name = directory::names(&[id], &listed, words.memory.somebody)[&id].clone();
            fill(words.figure.by, name)
        }),
        through: event.client_id.as_ref().and_then(|id| applications.get(id)).map(|name| fill(words.figure.through, name)),
        memories: event.memories(),
    };
    events.iter().map(view).collect()
}

fn label(event: &str, words: &Words) -> String {
    let words = &words.figure;
    let label = match event {
        "memories_read" => words.read,
        "memories_submitted" => words.submitted,
        "memory_updated" => words.updated,
        "permissions_modified" => words.permissions,
        "memory_restored" => words.restored,
        "memory_deleted" => words.deleted,
        "memories_imported" => words.imported,
        "memories_exported" => words.exported,
        "signed_in" | "signed_up" => words.signed_in,
        "sign_in_failed" => words.sign_in_failed,
        "authorization_granted" => words.granted,
        "connection_ended" | "grant_revoked" => words.ended,
        "account_changed" | "profile_changed" | "password_changed" => words.account,
        // A kind that came after this page was written is better shown by its name than not at all.
        other => return other.replace('_', " "),
    };
    label.to_owned()
}
