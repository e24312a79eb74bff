//! The form in which personas are made and changed.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::field_errors::{FieldErrors, FieldName};
use super::memory::id_in;
use super::persona::own;
use crate::error::{PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::Persona;
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::{PersonaWords, Words};

/// Memories for an answer, where nothing else is said.
const USUAL: &str = "10";

/// The fields as they were typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    name: String,
    description: String,
    instructions: String,
    tags: String,
    model: String,
    temperature: String,
    top_n: String,
    /// Not empty when others may ask.
    is_public: String,
    /// When the persona had been changed last as the form was shown.
    updated_at: String,
}

#[derive(Template)]
#[template(path = "persona_form.html")]
struct FormPage {
    frame: Frame,
    /// `None` for a new one.
    id: Option<Uuid>,
    fields: Fields,
    errors: FieldErrors,
}

impl From<Persona> for Fields {
    fn from(persona: Persona) -> Self {
        Self {
            name: persona.name,
            description: persona.description,
            instructions: persona.instructions,
            tags: persona.tags.join(", "),
            model: persona.model.unwrap_or_default(),
            temperature: persona.temperature.map(|number| number.to_string()).unwrap_or_default(),
            top_n: persona.top_n.to_string(),
            is_public: if persona.is_public { "yes".to_owned() } else { String::new() },
            updated_at: persona.updated_at,
        }
    }
}

impl Fields {
    /// What the server takes; what is left empty is `null`.
    fn data(&self, words: &PersonaWords) -> Result<Value, FieldErrors> {
        let mut errors = FieldErrors::none();
        let number = Some(self.temperature.trim().replace(',', ".")).filter(|text| !text.is_empty());
        let temperature = number.as_deref().map(str::parse::<f64>).transpose().unwrap_or_else(|_| {
            errors.add("temperature", words.temperature_wrong);
            None
        });
        let top_n = self.top_n.trim().parse::<u32>().unwrap_or_else(|_| {
            errors.add("top_n", words.top_n_wrong);
            0
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let tags: Vec<&str> = self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        Ok(json!({
            "name": self.name.trim(),
            "description": self.description.trim().replace("\r\n", "\n"),
            "instructions": self.instructions.trim().replace("\r\n", "\n"),
            "tags": tags,
            "model": Some(self.model.trim()).filter(|model| !model.is_empty()),
            "temperature": temperature,
            "top_n": top_n,
            "is_public": !self.is_public.is_empty(),
        }))
    }
}

fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let own = &words.persona;
    let fields = [
        FieldName::new("name", "name", own.name_label, own.name_rule),
        FieldName::new("description", "description", own.description_label, own.description_rule),
        FieldName::new("instructions", "instructions", own.instructions_label, own.instructions_rule),
        FieldName::new("tags", "tags", own.tags_label, own.tags_rule),
        FieldName::new("model", "model", own.model_label, own.model_rule),
        FieldName::new("temperature", "temperature", own.temperature_label, own.temperature_rule),
        FieldName::new("top_n", "top_n", own.top_n_label, own.top_n_rule),
    ];
    FieldErrors::of_call_about(Reason::NoPersona, error, &fields, words)
}

/// `GET /personas/new`
pub(crate) async fn show_new(member: Member) -> Result<Response, PageError> {
    member.may_write()?;
    let fields = Fields { top_n: USUAL.to_owned(), ..Fields::default() };
    Ok(form_page(&member, None, fields, FieldErrors::none()))
}

/// `POST /personas/new`
pub(crate) async fn create(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let data = fields.data(&member.words().persona).map(|mut data| {
        // A new one does not know `null`.
        if let Some(members) = data.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        data
    });
    send(&state, &member, None, fields, data).await
}

/// `GET /personas/{id}/edit`
pub(crate) async fn show_edit(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    member.may_write()?;
    let persona = own(&state, &member, id_in(&id)?).await?;
    Ok(form_page(&member, Some(persona.id), persona.into(), FieldErrors::none()))
}

/// `POST /personas/{id}/edit`
pub(crate) async fn update(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    if let Some(changed) = changed_elsewhere(&state, &member, id, &fields.updated_at).await {
        let mut errors = FieldErrors::one("", member.words().persona.stale);
        errors.status = StatusCode::CONFLICT;
        return Ok(form_page(&member, Some(id), Fields { updated_at: changed, ..fields }, errors));
    }
    let data = fields.data(&member.words().persona).map(|mut data| {
        data["persona_id"] = json!(id);
        data
    });
    send(&state, &member, Some(id), fields, data).await
}

/// When the persona was changed last, if that was after the form was shown. The server has no versions of personas, so this
/// warns of what happened while somebody was writing, not of what happens in the same moment.
async fn changed_elsewhere(state: &AppState, member: &Member, id: Uuid, known: &str) -> Option<String> {
    if known.is_empty() {
        return None;
    }
    // Whatever else is wrong, saving will say.
    let stored = own(state, member, id).await.ok()?;
    (stored.updated_at != known).then_some(stored.updated_at)
}

async fn send(
    state: &AppState,
    member: &Member,
    id: Option<Uuid>,
    fields: Fields,
    data: Result<Value, FieldErrors>,
) -> Result<Response, PageError> {
    let tool = if id.is_some() { "update_persona" } else { "create_persona" };
    let errors = match data {
        Ok(data) => match tokens::call_tool::<Persona>(state, &member.person, tool, &data).await {
            Ok(persona) => return Ok(see_other(&format!("/personas/{}?done=saved", persona.id))),
            Err(error) => errors_of(&error, member.words()),
        },
        Err(errors) => errors,
    };
    Ok(form_page(member, id, fields, errors))
}

fn form_page(member: &Member, id: Option<Uuid>, fields: Fields, errors: FieldErrors) -> Response {
    let words = &member.words().persona;
    let frame = Frame::new(&member.visitor, if id.is_some() { words.edit_title } else { words.new }, Section::Personas);
    page(errors.status, &FormPage { frame, id, fields, errors })
}
