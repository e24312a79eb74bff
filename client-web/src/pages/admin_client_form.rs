//! Registering an application at the Picard server and changing one, for its administrators.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::admin_clients::{clients_page, is_ours};
use super::field_errors::{FieldErrors, FieldName};
use super::memory::id_in;
use crate::administration;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, Client, RegisteredClient};
use crate::state::AppState;
use crate::tokens::CallError;
use crate::visitor::Member;

const READ: &str = "memories:read";
const WRITE: &str = "memories:write";

/// What an application is; boxes that are not ticked are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    client_name: String,
    /// One a line.
    redirect_uris: String,
    read: String,
    write: String,
    confidential: String,
}

impl Details {
    fn of(client: &Client) -> Self {
        let ticked = |is_so: bool| if is_so { "yes".to_owned() } else { String::new() };
        Self {
            client_name: client.client_name.clone(),
            redirect_uris: client.redirect_uris.join("\n"),
            read: ticked(client.scopes.iter().any(|scope| scope == READ)),
            write: ticked(client.scopes.iter().any(|scope| scope == WRITE)),
            confidential: ticked(client.is_confidential),
        }
    }

    /// The body of the request. Scopes that the form does not show stay as they are.
    fn body(&self, others: &[String]) -> Value {
        let chosen = [(READ, &self.read), (WRITE, &self.write)].into_iter().filter(|(_, tick)| !tick.is_empty());
        let kept = others.iter().map(String::as_str).filter(|scope| ![READ, WRITE].contains(scope));
        let scopes: Vec<&str> = chosen.map(|(scope, _)| scope).chain(kept).collect();
        json!({
            "client_name": self.client_name.trim(),
            "redirect_uris": self.redirect_uris.split_whitespace().collect::<Vec<_>>(),
            "scopes": scopes,
            "is_confidential": !self.confidential.is_empty(),
        })
    }
}

#[derive(Template)]
#[template(path = "admin_client_form.html")]
struct FormPage {
    frame: Frame,
    /// `None` while there is none.
    id: Option<Uuid>,
    is_ours: bool,
    details: Details,
    errors: FieldErrors,
}

/// `GET /admin/clients/new`
pub(crate) async fn show_new(State(state): State<AppState>, member: Member) -> Result<Response, PageError> {
    administration::administrator(&state, &member).await?.ok_or_else(|| PageError::Elsewhere("/admin".to_owned()))?;
    let details = Details { read: "yes".to_owned(), confidential: "yes".to_owned(), ..Details::default() };
    Ok(form_page(&state, &member, None, details, FieldErrors::none()))
}

/// `GET /admin/clients/{id}`
pub(crate) async fn show_edit(
    State(state): State<AppState>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let client = stored(&state, &member, id).await??;
    Ok(form_page(&state, &member, Some(id), Details::of(&client), FieldErrors::none()))
}

/// `POST /admin/clients`
pub(crate) async fn register(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Details>,
) -> Result<Response, PageError> {
    let call = Call::send(Method::POST, "/api/admin/clients/register", Some(fields.body(&[])));
    match administration::call::<RegisteredClient>(&state, &member, &call).await? {
        Ok(client) => {
            tracing::warn!(
                event = "client_administered", user.id = %member.person.id, client.id = %client.client_id, act = "registered",
                "a client was administered"
            );
            told(&state, &member, client).await
        }
        Err(error) => Ok(form_page(&state, &member, None, fields, errors_of(&error, &member))),
    }
}

/// Changes an application.
pub(super) async fn update(state: &AppState, member: &Member, id: Uuid, details: Details) -> Result<Response, PageError> {
    let changed = match stored(state, member, id).await? {
        Ok(client) => {
            let call = Call::send(Method::PUT, &path(id), Some(details.body(&client.scopes)));
            administration::call::<RegisteredClient>(state, member, &call).await?
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(client) => told(state, member, client).await,
        Err(error) => Ok(form_page(state, member, Some(id), details, errors_of(&error, member))),
    }
}

/// Back to the list, with the secret if there is a new one.
async fn told(state: &AppState, member: &Member, client: RegisteredClient) -> Result<Response, PageError> {
    match client.client_secret {
        Some(secret) => clients_page(state, member, Some(secret), FieldErrors::none()).await,
        None => Ok(see_other("/admin/clients?done=saved")),
    }
}

fn path(id: Uuid) -> String {
    format!("/api/admin/clients/{id}")
}

async fn stored(state: &AppState, member: &Member, id: Uuid) -> Result<Result<Client, CallError>, PageError> {
    administration::call(state, member, &Call::get(&path(id), &[])).await
}

fn errors_of(error: &CallError, member: &Member) -> FieldErrors {
    let words = &member.words().administration;
    let names = [
        FieldName::new("client_name", "client_name", words.client_name, words.client_name_rule),
        FieldName::new("redirect_uris", "redirect_uris", words.redirect_uris, words.redirect_uris_rule),
        FieldName::new("scopes", "read", words.scopes, words.scopes_rule),
    ];
    FieldErrors::of_call(error, &names, member.words())
}

fn form_page(state: &AppState, member: &Member, id: Option<Uuid>, details: Details, errors: FieldErrors) -> Response {
    let words = &member.words().administration;
    let title = if id.is_some() { words.edit_client } else { words.register_client };
    let frame = Frame::new(&member.visitor, title, Section::None);
    let status = if errors.is_empty() { StatusCode::OK } else { errors.status };
    let is_ours = id.is_some_and(|id| is_ours(state, id));
    page(status, &FormPage { frame, id, is_ours, details, errors })
}
