//! The person's own personas, and those of others that they may ask.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::directory;
use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{DirectoryEntry, ListedPersona, Persona, PersonaPage};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// Personas that are found at once.
const PAGE_SIZE: u32 = 20;
/// More than anybody may have.
const ALL: u32 = 200;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    q: String,
    cursor: String,
    done: Option<String>,
}

struct PersonaView {
    name: String,
    description: String,
    href: String,
    is_public: bool,
    is_own: bool,
}

#[derive(Template)]
#[template(path = "personas.html")]
struct ListPage {
    frame: Frame,
    wish: Wish,
    own: Vec<PersonaView>,
    /// What was looked for; if nothing was, those of people in the directory.
    found: Vec<PersonaView>,
    next: Option<String>,
}

/// `GET /personas`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Ok(see_other("/connect"));
    }
    let query = wish.q.trim();
    let all = json!({ "limit": ALL });
    let own = tokens::call_tool::<PersonaPage>(&state, &member.person, "list_personas", &all);
    let (own, (found, cursor)) = tokio::try_join!(own, find(&state, &member, query, &wish.cursor))?;
    let next = cursor.map(|cursor| {
        let pairs = [("q", query), ("cursor", cursor.as_str())];
        format!("/personas?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    });
    let frame = Frame::new(&member.visitor, member.words().persona.title, Section::Personas).with_notice(wish.done.as_deref());
    let own = own.personas.into_iter().map(|persona| view(persona, &member)).collect();
    Ok(page(StatusCode::OK, &ListPage { frame, own, found, next, wish }))
}

/// Personas that fit, and where there are more of them. The server searches personas by words alone; without any, the
/// directory tells those of the people in it.
async fn find(
    state: &AppState,
    member: &Member,
    query: &str,
    cursor: &str,
) -> Result<(Vec<PersonaView>, Option<String>), CallError> {
    if query.is_empty() {
        let people = directory::find(state, member, "").await?;
        return Ok((people.into_iter().flat_map(listed).collect(), None));
    }
    let mut data = json!({ "query": query, "limit": PAGE_SIZE });
    if !cursor.is_empty() {
        data["cursor"] = cursor.into();
    }
    let found: PersonaPage = tokens::call_tool(state, &member.person, "list_personas", &data).await?;
    Ok((found.personas.into_iter().map(|persona| view(persona, member)).collect(), found.next_cursor))
}

fn listed(person: DirectoryEntry) -> Vec<PersonaView> {
    let description = directory::name(&person);
    let view = |persona: ListedPersona| PersonaView {
        href: path(persona.id, person.id, false),
        description: description.clone(),
        name: persona.name,
        is_public: true,
        is_own: false,
    };
    person.personas.into_iter().map(view).collect()
}

fn view(persona: Persona, member: &Member) -> PersonaView {
    let own_id = member.server_user_id();
    let is_own = own_id == Some(persona.user_id);
    PersonaView {
        href: path(persona.id, persona.user_id, is_own),
        description: markdown::excerpt(&persona.description, 200),
        name: persona.name,
        is_public: persona.is_public,
        is_own,
    }
}

/// The address of a persona. Of somebody else's it says whose, because the server finds it only among theirs.
fn path(id: Uuid, owner: Uuid, is_own: bool) -> String {
    if is_own { format!("/personas/{id}") } else { format!("/personas/{id}?by={owner}") }
}
