//! What the person's personas were asked, by whom, and who is not answered any more.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{Method, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::memory::id_in;
use super::memory_view::MomentView;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Asker, Blocks, Call, PersonaPage, Question, QuestionPage, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    persona_id: String,
    cursor: String,
    done: Option<String>,
}

/// Who shall be answered no more, or again.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    user_id: String,
    to: String,
}

struct QuestionView {
    /// `None` where the deployment keeps no questions.
    text: Option<String>,
    asker: AskerView,
    persona: Option<String>,
    moment: MomentView,
    memories: Vec<Uuid>,
}

struct AskerView {
    id: Uuid,
    name: String,
    is_you: bool,
    is_blocked: bool,
}

#[derive(Template)]
#[template(path = "persona_questions.html")]
struct QuestionsPage {
    frame: Frame,
    questions: Vec<QuestionView>,
    blocked: Vec<AskerView>,
    next: Option<String>,
}

/// `GET /personas/questions`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    let members = [("persona_id", wish.persona_id.as_str()), ("cursor", wish.cursor.as_str())];
    let query: Vec<(&str, &str)> = members.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let person = &member.person;
    let found: QuestionPage = tokens::call(&state, person, &Call::get("/api/personas/questions", &query)).await?;
    let blocks: Blocks = tokens::call(&state, person, &Call::get("/api/personas/blocks", &[])).await?;
    let data = serde_json::json!({ "limit": 200 });
    let own: PersonaPage = tokens::call_tool(&state, person, "list_personas", &data).await?;
    let view = |question: Question| QuestionView {
        asker: asker(&question.asker, &blocks, &member),
        persona: own.personas.iter().find(|persona| Some(persona.id) == question.persona_id).map(|persona| persona.name.clone()),
        moment: MomentView::new(question.asked_at, member.preferences()),
        memories: question.memories(),
        text: question.question,
    };
    let next = found.next_cursor.as_deref().map(|cursor| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !wish.persona_id.is_empty() {
            query.append_pair("persona_id", &wish.persona_id);
        }
        format!("/personas/questions?{}", query.append_pair("cursor", cursor).finish())
    });
    let title = member.words().persona.questions;
    let frame = Frame::new(&member.visitor, title, Section::Personas).with_notice(wish.done.as_deref());
    let blocked = blocks.blocked.iter().map(|one| asker(one, &blocks, &member)).collect();
    let questions = found.questions.into_iter().map(view).collect();
    Ok(page(StatusCode::OK, &QuestionsPage { frame, questions, blocked, next }))
}

/// `POST /personas/blocks`
pub(crate) async fn set_block(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let is_blocked = fields.to == "blocked";
    let method = if is_blocked { Method::PUT } else { Method::DELETE };
    let call = Call::send(method, &format!("/api/personas/blocks/{}", id_in(&fields.user_id)?), None);
    tokens::call::<()>(&state, &member.person, &call).await.map_err(|error| match error {
        CallError::Tool(ToolError::NotFound) => Explanation::new(StatusCode::NOT_FOUND, Reason::NoPerson).into(),
        error => PageError::from(error),
    })?;
    Ok(see_other(if is_blocked { "/personas/questions?done=blocked" } else { "/personas/questions?done=unblocked" }))
}

fn asker(asker: &Asker, blocks: &Blocks, member: &Member) -> AskerView {
    let own_id = member.server_user_id();
    let words = &member.words().persona;
    let is_you = own_id == Some(asker.id);
    let name = match &asker.username {
        _ if is_you => words.you.to_owned(),
        Some(name) => name.clone(),
        None => words.somebody.to_owned(),
    };
    AskerView { id: asker.id, name, is_you, is_blocked: blocks.blocked.iter().any(|blocked| blocked.id == asker.id) }
}
