//! The person's own personas, and those of others that they may ask.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{Persona, PersonaPage};
use crate::state::AppState;
use crate::tokens;
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
    /// `None` when nothing was looked for.
    found: Option<Vec<PersonaView>>,
    next: Option<String>,
}

/// `GET /personas`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Ok(see_other("/connect"));
    }
    let query = wish.q.trim();
    let own: PersonaPage = tokens::call_tool(&state, &member.person, "list_personas", &json!({ "limit": ALL })).await?;
    let found = if query.is_empty() {
        None
    } else {
        let mut data = json!({ "query": query, "limit": PAGE_SIZE });
        if !wish.cursor.is_empty() {
            data["cursor"] = wish.cursor.as_str().into();
        }
        Some(tokens::call_tool::<PersonaPage>(&state, &member.person, "list_personas", &data).await?)
    };
    let next = found.as_ref().and_then(|found| found.next_cursor.as_deref()).map(|cursor| {
        let pairs = [("q", query), ("cursor", cursor)];
        format!("/personas?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    });
    let frame = Frame::new(&member.visitor, member.words().persona.title, Section::Personas).with_notice(wish.done.as_deref());
    let views = |page: PersonaPage| page.personas.into_iter().map(|persona| view(persona, &member)).collect();
    let template = ListPage { frame, own: views(own), found: found.map(views), next, wish };
    Ok(page(StatusCode::OK, &template))
}

fn view(persona: Persona, member: &Member) -> PersonaView {
    let own_id = member.person.connection.as_ref().map(|connection| connection.server_user_id);
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
