//! What the person did, and who read their memories.

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
use crate::server_client::{ActivityPage, Application, Call, Connections, Event};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;
use crate::words::{FigureWords, fill};

/// Links to memories beside one act.
const SHOWN: usize = 5;

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
    /// What memories were read for.
    purpose: Option<&'static str>,
    /// The application that it was done with, and the way that it took.
    through: Vec<String>,
    memories: Vec<Uuid>,
    /// How many there are besides.
    more: Option<String>,
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
    let own_id = member.server_user_id();
    let others: Vec<Uuid> = events.iter().filter_map(|event| event.user_id).filter(|id| Some(*id) != own_id).collect();
    let connections = Call::get("/api/connections", &[]);
    let connections = tokens::call::<Connections>(state, &member.person, &connections);
    let (listed, connections) = tokio::join!(directory::these(state, member, &others), connections);
    let listed = listed.unwrap_or_default();
    let applications = Applications {
        own: state.client.as_ref().map(|client| client.id().to_owned()),
        connections: connections.map(|answer| answer.connections).unwrap_or_default(),
    };
    let words = member.words();
    let view = |event: &Event| {
        let all = event.memories();
        let more = all.len().saturating_sub(SHOWN);
        EventView {
            label: label(&event.event, &words.figure).map_or_else(|| event.event.replace('_', " "), str::to_owned),
            moment: MomentView::new(event.happened_at, member.preferences()),
            by: event.user_id.filter(|id| Some(*id) != own_id).map(|id| {
                let name = directory::names(&[id], &listed, words.memory.somebody)[&id].clone();
                fill(words.figure.by, name)
            }),
            purpose: purpose(event, &words.figure),
            through: applications.named(event, &words.figure).into_iter().chain(door(event, &words.figure)).collect(),
            memories: all.into_iter().take(SHOWN).collect(),
            more: (more > 0).then(|| fill(words.figure.more, more)),
        }
    };
    events.iter().map(view).collect()
}

/// What is known of applications. The server tells the names of those alone that the person connected.
struct Applications {
    /// The id of this one.
    own: Option<String>,
    connections: Vec<Application>,
}

impl Applications {
    fn named(&self, event: &Event, words: &FigureWords) -> Option<String> {
        let id = event.client_id.as_ref()?;
        let known = self.connections.iter().find(|connection| connection.client_id == *id);
        Some(match known {
            Some(connection) => fill(words.through, &connection.client_name),
            None if self.own.as_ref() == Some(id) => words.through_own.to_owned(),
            None => fill(words.through_unknown, id.chars().take(8).collect::<String>()),
        })
    }
}

fn door(event: &Event, words: &FigureWords) -> Option<String> {
    match event.door() {
        "rest" => Some(words.door_rest.to_owned()),
        "mcp" => Some(words.door_mcp.to_owned()),
        "command_line" => Some(words.door_command_line.to_owned()),
        _ => None,
    }
}

fn purpose(event: &Event, words: &FigureWords) -> Option<&'static str> {
    match (event.event.as_str(), event.operation()) {
        ("memories_read", "get") => Some(words.read_one),
        ("memories_read", "list") => Some(words.read_list),
        ("memories_read", "search") => Some(words.read_search),
        ("memories_read", "persona") => Some(words.read_persona),
        _ => None,
    }
}

/// `None` for a kind that came after this page was written: it is better shown by its name than not at all.
fn label(event: &str, words: &FigureWords) -> Option<&'static str> {
    Some(match event {
        "memories_read" => words.read,
        "memories_submitted" => words.submitted,
        "memory_updated" => words.updated,
        "permissions_modified" => words.permissions,
        "memory_restored" => words.restored,
        "memory_deleted" => words.deleted,
        "memories_imported" => words.imported,
        "memories_exported" => words.exported,
        "signed_in" => words.signed_in,
        "signed_up" => words.signed_up,
        "sign_in_failed" => words.sign_in_failed,
        "authorization_granted" => words.granted,
        "tokens_issued" | "user_token_issued" => words.tokens_issued,
        "user_token_refused" => words.token_refused,
        "tokens_revoked" => words.tokens_revoked,
        "authorization_code_reused" | "refresh_token_reused" => words.reused,
        "connection_ended" => words.ended,
        "account_changed" => words.account_changed,
        "account_deleted" => words.account_deleted,
        "profile_changed" => words.profile,
        "password_changed" => words.password,
        "client_registered" | "client_registered_itself" => words.client_registered,
        "client_updated" => words.client_updated,
        "client_secret_replaced" => words.client_secret,
        "client_deleted" => words.client_deleted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::label;
    use crate::words::Language;

    /// How the server's sources name the kind of an act that they keep.
    const BEFORE: [&str; 7] = [
        "event: \"",
        "record_own(caller, \"",
        "record_reuse(\"",
        "record_of_client(\"",
        "note_transfer(caller, \"",
        "self.act(caller, \"",
        "=> \"memor",
    ];

    fn kinds(folder: &Path, kinds: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self::kinds(&path, kinds);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            for before in BEFORE {
                let begin = before.rsplit('"').next().unwrap_or_default();
                let is_kind =
                    |word: &&str| word.contains('_') && word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
                let found = source.split(before).skip(1).filter_map(|rest| rest.split('"').next()).filter(is_kind);
                kinds.extend(found.map(|rest| format!("{begin}{rest}")));
            }
        }
    }

    #[test]
    fn every_kind_of_act_that_the_server_keeps_has_words() {
        let mut found = BTreeSet::new();
        kinds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/app/src"), &mut found);
        kinds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/server/src"), &mut found);

        assert!(found.len() >= 25 && found.contains("memory_restored"), "{found:?}");
        for kind in found {
            for language in [Language::English, Language::German] {
                assert!(label(&kind, &language.words().figure).is_some(), "{kind} falls through");
            }
        }
    }
}
