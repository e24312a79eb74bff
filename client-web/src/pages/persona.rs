//! One persona: what it is, asking it, publishing, hiding and deleting it.

use std::convert::Infallible;

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::field_errors::{FieldErrors, FieldName};
use super::memory::id_in;
use super::persona_answer::{AnswerFragment, AnswerView};
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::markdown;
use crate::server_client::{AnswerEvent, AnswerStream, Persona, PersonaPage, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::Words;

/// What the address says besides the id: whose persona it is. The server tells a persona only as one of somebody's.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    by: String,
    done: Option<String>,
}

/// A question.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    prompt: String,
    by: String,
}

/// What shall happen to the persona: it is shown, hidden or deleted.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    to: String,
}

#[derive(Template)]
#[template(path = "persona.html")]
struct OnePage {
    frame: Frame,
    persona: Persona,
    /// The description as clean HTML.
    description: String,
    is_own: bool,
    fields: Fields,
    errors: FieldErrors,
    answer: Option<AnswerView>,
}

/// A persona that is not there and one that may not be asked are the same.
pub(super) fn absent(error: CallError) -> PageError {
    match error {
        CallError::Tool(ToolError::NotFound) => nobody(),
        error => error.into(),
    }
}

fn nobody() -> PageError {
    Explanation::new(StatusCode::NOT_FOUND, Reason::NoPersona).into()
}

/// One of the person's own.
pub(super) async fn own(state: &AppState, member: &Member, id: Uuid) -> Result<Persona, PageError> {
    find(state, member, id, "").await
}

/// Finds a persona of somebody, or of the person who looks.
async fn find(state: &AppState, member: &Member, id: Uuid, by: &str) -> Result<Persona, PageError> {
    let mut data = json!({ "limit": 200 });
    if !by.is_empty() {
        data["user_id"] = json!(by.parse::<Uuid>().map_err(|_| nobody())?);
    }
    let found: PersonaPage = tokens::call_tool(state, &member.person, "list_personas", &data).await.map_err(absent)?;
    found.personas.into_iter().find(|persona| persona.id == id).ok_or_else(nobody)
}

/// `GET /personas/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let persona = find(&state, &member, id_in(&id)?, &wish.by).await?;
    let fields = Fields { prompt: String::new(), by: wish.by };
    let mut template = one_page(&member, persona, fields, FieldErrors::none(), None);
    template.frame = template.frame.with_notice(wish.done.as_deref());
    Ok(page(StatusCode::OK, &template))
}

/// `POST /personas/{id}`: the whole answer, for browsers without a script.
pub(crate) async fn ask(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    // Before the question is asked: an answer that has come must not be lost because the persona cannot be shown.
    let persona = match find(&state, &member, id, &fields.by).await {
        Ok(persona) => persona,
        Err(error) => return Err(error.keeping(&fields.prompt)),
    };
    let outcome = match tokens::ask(&state, &member.person, &data(id, &fields)).await {
        Ok(stream) => stream.whole().await.map_err(CallError::from),
        Err(error) => Err(error),
    };
    let words = member.words();
    let (answer, errors) = match outcome {
        Ok(answer) => (Some(AnswerView::new(&answer, &words.persona)), FieldErrors::none()),
        Err(CallError::Tool(ToolError::NotFound)) => return Err(nobody().keeping(&fields.prompt)),
        Err(error) => (None, errors_of(&error, words)),
    };
    let status = errors.status;
    Ok(page(status, &one_page(&member, persona, fields, errors, answer)))
}

/// `POST /personas/{id}/answer`: the answer while it is written, as server-sent events for the page's script: `token`
/// (`{text}`), then `done` (`{html}`) or `error` (`{message}`). Nobody reads any more: the server is told to stop.
pub(crate) async fn answer(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let first = tokens::ask(&state, &member.person, &data(id, &fields)).await;
    let relay = Relay { frame: Frame::new(&member.visitor, "", Section::Personas), source: Some(first) };
    let events = stream::unfold(relay, |mut relay| async move {
        let event = relay.next().await?;
        Some((Ok::<_, Infallible>(event), relay))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    // Proxies that collect an answer before they pass it on would show nothing for long.
    Ok((headers, [("x-accel-buffering", "no")], Body::from_stream(events)).into_response())
}

/// `POST /personas/{id}/change`
pub(crate) async fn change(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Change>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let (tool, data, next) = match fields.to.as_str() {
        "public" => ("update_persona", json!({ "persona_id": id, "is_public": true }), format!("/personas/{id}?done=published")),
        "hidden" => ("update_persona", json!({ "persona_id": id, "is_public": false }), format!("/personas/{id}?done=hidden")),
        "deleted" => ("delete_persona", json!({ "persona_id": id }), "/personas?done=persona-deleted".to_owned()),
        _ => return Err(Explanation::of_status(StatusCode::UNPROCESSABLE_ENTITY).into()),
    };
    tokens::call_tool::<Value>(&state, &member.person, tool, &data).await.map_err(absent)?;
    Ok(see_other(&next))
}

fn data(id: Uuid, fields: &Fields) -> Value {
    json!({ "persona_id": id, "prompt": fields.prompt.trim().replace("\r\n", "\n") })
}

fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let own = &words.persona;
    FieldErrors::of_call(error, &[FieldName::new("prompt", "prompt", own.question_label, own.question_rule)], words)
}

fn one_page(member: &Member, persona: Persona, fields: Fields, errors: FieldErrors, answer: Option<AnswerView>) -> OnePage {
    let frame = Frame::new(&member.visitor, persona.name.as_str(), Section::Personas);
    let own_id = member.server_user_id();
    let (description, is_own) = (markdown::to_html(&persona.description), own_id == Some(persona.user_id));
    OnePage { frame, persona, description, is_own, fields, errors, answer }
}

/// Passes an answer on.
struct Relay {
    frame: Frame,
    /// `None` after the end.
    source: Option<Result<AnswerStream, CallError>>,
}

impl Relay {
    async fn next(&mut self) -> Option<Bytes> {
        let next = match self.source.take()? {
            Ok(mut stream) => match stream.next().await {
                Ok(AnswerEvent::Words(text)) => {
                    self.source = Some(Ok(stream));
                    return Some(event("token", &json!({ "text": text })));
                }
                Ok(AnswerEvent::Done(answer)) => Ok(answer),
                Err(error) => Err(CallError::from(error)),
            },
            Err(error) => Err(error),
        };
        Some(match next {
            Ok(answer) => {
                let view = AnswerView::new(&answer, &self.frame.words.persona);
                match (AnswerFragment { frame: &self.frame, answer: &view }).render() {
                    Ok(html) => event("done", &json!({ "html": html })),
                    Err(_) => self.refusal(&FieldErrors::one("", self.frame.words.persona.broken)),
                }
            }
            Err(CallError::Tool(ToolError::NotFound)) => {
                self.refusal(&FieldErrors::one("", Reason::NoPersona.said(self.frame.words).1))
            }
            Err(error) => self.refusal(&errors_of(&error, self.frame.words)),
        })
    }

    fn refusal(&self, errors: &FieldErrors) -> Bytes {
        let messages: Vec<&str> = errors.list.iter().map(|error| error.message.as_str()).collect();
        event("error", &json!({ "message": messages.join(" ") }))
    }
}

fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
