//! The applications of the Picard server, for its administrators.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{Method, StatusCode};
use picard_crypto::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

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

/// What shall happen to an application.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    to: String,
}

#[derive(Template)]
#[template(path = "admin_clients.html")]
struct ClientsPage {
    frame: Frame,
    clients: Vec<Client>,
    next: Option<String>,
    /// A new secret, this once.
    secret: Option<String>,
}

/// `GET /admin/clients`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    clients_page(&state, &member, &wish, None).await
}

/// `POST /admin/clients/{id}`
pub(crate) async fn change(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let path = format!("/api/admin/clients/{id}");
    let secret = match fields.to.as_str() {
        "deleted" => {
            let call = Call::send(Method::DELETE, &path, None);
            administration::call::<Option<Value>>(&state, &member, &call).await??;
            None
        }
        "new-secret" => {
            let call = Call::send(Method::POST, &format!("{path}/secret"), None);
            Some(administration::call::<NewSecret>(&state, &member, &call).await??)
        }
        _ => return Err(Explanation::of_status(StatusCode::UNPROCESSABLE_ENTITY).into()),
    };
    tracing::info!(user.id = %member.person.id, client.id = %id, act = fields.to.as_str(), "a client was administered");
    match secret {
        Some(secret) => clients_page(&state, &member, &Wish::default(), Some(secret)).await,
        None => Ok(see_other("/admin/clients?done=saved")),
    }
}

async fn clients_page(state: &AppState, member: &Member, wish: &Wish, secret: Option<NewSecret>) -> Result<Response, PageError> {
    let query = [("cursor", wish.cursor.as_str())];
    let query: Vec<(&str, &str)> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let found: ClientPage = administration::call(state, member, &Call::get("/api/admin/clients", &query)).await??;
    let next = found.next_cursor.map(|cursor| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", &cursor).finish();
        format!("/admin/clients?{query}")
    });
    let frame = Frame::new(&member.visitor, member.words().administration.clients, Section::None);
    let frame = frame.with_notice(wish.done.as_deref());
    let secret = secret.map(|secret| secret.client_secret.expose_secret().to_owned());
    Ok(page(StatusCode::OK, &ClientsPage { frame, clients: found.clients, next, secret }))
}
