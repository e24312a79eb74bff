//! Clients, as administrators manage them.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::{RegisterClient, RegisteredClient};
use picard_crypto::ExposeSecret;
use picard_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::body::StrictJson;
use crate::error::Problem;
use crate::routes::admin::{Admin, Page, id};
use crate::state::AppState;

/// A client to be registered.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientRequest {
    /// The client's name, as people see it.
    #[schema(example = "My web application", min_length = 1, max_length = 100)]
    client_name: String,
    /// Where codes may be sent: https, or http on the loopback interface.
    #[schema(example = json!(["https://app.example.com/oauth/callback"]), min_items = 1, max_items = 20)]
    redirect_uris: Vec<String>,
    /// What it may ask for at most.
    #[schema(example = json!(["memories:read", "memories:write"]))]
    scopes: Vec<String>,
    /// Whether it can keep a secret; only such clients may use the user-token flow.
    #[serde(default = "yes")]
    #[schema(default = true)]
    is_confidential: bool,
}

fn yes() -> bool {
    true
}

/// A registered client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ClientView {
    /// The client's id.
    client_id: String,
    /// Its secret, shown this once; public clients have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    client_name: String,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    is_confidential: bool,
}

impl From<ClientRequest> for RegisterClient {
    fn from(body: ClientRequest) -> Self {
        Self {
            client_name: body.client_name,
            redirect_uris: body.redirect_uris,
            scopes: body.scopes,
            is_confidential: body.is_confidential,
        }
    }
}

impl From<RegisteredClient> for ClientView {
    fn from(client: RegisteredClient) -> Self {
        Self {
            client_id: client.client_id.to_string(),
            client_secret: client.client_secret.map(|secret| secret.expose_secret().to_owned()),
            client_name: client.client_name,
            redirect_uris: client.redirect_uris,
            scopes: client.scopes.to_words(),
            is_confidential: client.is_confidential,
        }
    }
}

/// A client without its secret, which is not known.
fn view(client: &picard_app::Client, created_at: Option<Timestamp>) -> Value {
    let mut view = json!({
        "client_id": client.id,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "scopes": client.scopes.to_words(),
        "is_confidential": client.secret_hash.is_some(),
        "origin": client.origin.as_str(),
        "metadata_url": client.metadata_url,
    });
    if let Some(created_at) = created_at {
        view["created_at"] = json!(created_at);
    }
    view
}

/// Registers a client; its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/admin/clients/register", tag = "administration", operation_id = "register_client",
    request_body = ClientRequest, security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 201, description = "The client and its secret", body = ClientView),
    (status = 401, description = "Not an administrator's name and password"),
    (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "Something is wrong with the registration"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn register_client(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    StrictJson(body): StrictJson<ClientRequest>,
) -> Result<Response, Problem> {
    let client = state.app.register_client(administrator, body.into()).await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(ClientView::from(client))).into_response())
}

/// Lists all clients, the newest first. Secrets never come back.
#[utoipa::path(get, path = "/api/admin/clients", tag = "administration", operation_id = "list_clients",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 50 if left out"), ("cursor" = Option<String>, Query, description = "The next_cursor of the page before")),
    security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "A page of clients", body = Value, example = json!({"clients": [{"client_id": "…", "client_name": "My application",
        "redirect_uris": ["https://app.example.com/cb"], "scopes": ["memories:read"], "is_confidential": true, "created_at": "2026-01-01T00:00:00+00:00"}], "next_cursor": null})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "A wrong limit or cursor"), (status = 429, description = "Too many failed tries")))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let page = Page::read(query.as_deref())?;
    let page = state.app.clients(administrator, page.limit()?, page.cursor.as_deref()).await?;
    let clients: Vec<Value> = page.clients.into_iter().map(|(client, created_at)| view(&client, Some(created_at))).collect();
    Ok(Json(json!({ "clients": clients, "next_cursor": page.next_cursor })))
}

/// Shows one client.
#[utoipa::path(get, path = "/api/admin/clients/{client_id}", tag = "administration", operation_id = "get_client",
    params(("client_id" = String, Path, description = "The client")), security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "The client", body = ClientView), (status = 401, description = "Not an administrator"),
    (status = 403, description = "Somebody who is not an administrator"), (status = 404, description = "No such client")))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(client_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&state.app.client(administrator, id(&client_id)?).await?, None)))
}

/// Replaces everything that a client is. One that becomes confidential gets a secret, shown this once.
#[utoipa::path(put, path = "/api/admin/clients/{client_id}", tag = "administration", operation_id = "update_client",
    params(("client_id" = String, Path, description = "The client")), request_body = ClientRequest,
    security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "The client", body = ClientView), (status = 401, description = "Not an administrator"),
    (status = 403, description = "Somebody who is not an administrator"), (status = 404, description = "No such client"),
    (status = 422, description = "Something is wrong with the client")))]
pub(crate) async fn update(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(client_id): Path<String>,
    StrictJson(body): StrictJson<ClientRequest>,
) -> Result<Json<ClientView>, Problem> {
    Ok(Json(state.app.update_client(administrator, id(&client_id)?, body.into()).await?.into()))
}

/// Deletes a client with every token of it.
#[utoipa::path(delete, path = "/api/admin/clients/{client_id}", tag = "administration", operation_id = "delete_client",
    params(("client_id" = String, Path, description = "The client")), security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 204, description = "The client is gone"), (status = 401, description = "Not an administrator"),
    (status = 403, description = "Somebody who is not an administrator"), (status = 404, description = "No such client")))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(client_id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.app.delete_client(administrator, id(&client_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a client a new secret; the old one ends at once.
#[utoipa::path(post, path = "/api/admin/clients/{client_id}/secret", tag = "administration", operation_id = "replace_client_secret",
    params(("client_id" = String, Path, description = "The client")), security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "The new secret, shown this once", body = Value, example = json!({"client_id": "…", "client_secret": "…"})),
    (status = 401, description = "Not an administrator"), (status = 403, description = "Somebody who is not an administrator"),
    (status = 404, description = "No such client"), (status = 409, description = "A public client")))]
pub(crate) async fn replace_secret(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    Path(client_id): Path<String>,
) -> Result<Response, Problem> {
    let client_id = id(&client_id)?;
    let secret = state.app.replace_client_secret(administrator, client_id).await?;
    let body = json!({ "client_id": client_id, "client_secret": secret.expose_secret() });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
