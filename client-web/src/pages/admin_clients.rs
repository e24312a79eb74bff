//! The applications of the Picard server, for its administrators.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{Method, StatusCode};
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::admin_client_form::{self, Details};
use super::field_errors::FieldErrors;
use super::memory::id_in;
use crate::administration;
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, Client, ClientPage, NewSecret};
use crate::state::AppState;
use crate::visitor::Member;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    cursor: String,
    done: Option<String>,
}

/// What shall happen to an application, and what it shall be.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    to: String,
    #[serde(flatten)]
    details: Details,
}

struct ClientView {
    client: Client,
    /// Whether it is this application.
    is_ours: bool,
}

#[derive(Template)]
#[template(path = "admin_clients.html")]
struct ClientsPage {
    frame: Frame,
    clients: Vec<ClientView>,
    next: Option<String>,
    /// A new secret, this once.
    secret: Option<String>,
    errors: FieldErrors,
}

/// `GET /admin/clients`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    page_of(&state, &member, &wish, (None, FieldErrors::none())).await
}

/// Whether it is this application: without its secret, or without itself, everybody here would be cut off.
pub(super) fn is_ours(state: &AppState, id: Uuid) -> bool {
    state.client.as_ref().is_some_and(|client| client.id() == id.to_string())
}

/// `POST /admin/clients/{id}`
pub(crate) async fn change(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let path = format!("/api/admin/clients/{id}");
    tracing::warn!(event = "client_administered", user.id = %member.person.id, client.id = %id, act = fields.to.as_str(), "a client is administered");
    match fields.to.as_str() {
        "deleted" | "new-secret" if is_ours(&state, id) => {
            let mut errors = FieldErrors::one("", member.words().administration.ours);
            errors.status = StatusCode::CONFLICT;
            clients_page(&state, &member, None, errors).await
        }
        "deleted" => {
            let call = Call::send(Method::DELETE, &path, None);
            administration::call::<Option<Value>>(&state, &member, &call).await??;
            Ok(see_other("/admin/clients?done=saved"))
        }
        "new-secret" => {
            let call = Call::send(Method::POST, &format!("{path}/secret"), None);
            let secret = administration::call::<NewSecret>(&state, &member, &call).await??;
            clients_page(&state, &member, Some(secret.client_secret), FieldErrors::none()).await
        }
        "changed" => admin_client_form::update(&state, &member, id, fields.details).await,
        _ => Err(Explanation::of_status(StatusCode::UNPROCESSABLE_ENTITY).into()),
    }
}

/// The newest applications, with a new secret or what did not work.
pub(super) async fn clients_page(
    state: &AppState,
    member: &Member,
    secret: Option<SecretString>,
    errors: FieldErrors,
) -> Result<Response, PageError> {
    page_of(state, member, &Wish::default(), (secret, errors)).await
}

async fn page_of(
    state: &AppState,
    member: &Member,
    wish: &Wish,
    (secret, errors): (Option<SecretString>, FieldErrors),
) -> Result<Response, PageError> {
    let query = [("cursor", wish.cursor.as_str())];
    let query: Vec<(&str, &str)> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let found: ClientPage = administration::call(state, member, &Call::get("/api/admin/clients", &query)).await??;
    let next = found.next_cursor.map(|cursor| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", &cursor).finish();
        format!("/admin/clients?{query}")
    });
    let frame = Frame::new(&member.visitor, member.words().administration.clients, Section::None);
    let frame = frame.with_notice(wish.done.as_deref());
    let secret = secret.map(|secret| secret.expose_secret().to_owned());
    let view = |client: Client| ClientView { is_ours: is_ours(state, client.client_id), client };
    let clients = found.clients.into_iter().map(view).collect();
    Ok(page(errors.status, &ClientsPage { frame, clients, next, secret, errors }))
}
