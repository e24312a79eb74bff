//! Clients, as administrators manage them.

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::{Administrator, RegisterClient};
use picard_auth::client::parse_basic;
use picard_crypto::ExposeSecret;
use picard_domain::Error;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

use crate::bearer::{Resource, refuse, sent_bearer};
use crate::body::StrictJson;
use crate::error::Problem;
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

/// Registers a client; its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/admin/clients/register", tag = "administration", operation_id = "register_client",
    request_body = ClientRequest, security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 201, description = "The client and its secret", body = ClientView),
    (status = 401, description = "Not an administrator's name and password"),
    (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "Something is wrong with the registration"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn register_client(State(state): State<AppState>, request: Request) -> Response {
    // Not the request itself: its body cannot be shared between threads while this waits.
    let (headers, address) = (request.headers().clone(), address(&request));
    let administrator = match administrator(&state, &headers, &address).await {
        Ok(administrator) => administrator,
        Err(response) => return *response,
    };
    match register(&state, administrator, request).await {
        Ok(view) => (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn register(state: &AppState, administrator: Administrator, request: Request) -> Result<ClientView, Problem> {
    use axum::extract::FromRequest as _;
    let StrictJson(body) = StrictJson::<ClientRequest>::from_request(request, state).await?;
    let command = RegisterClient {
        client_name: body.client_name,
        redirect_uris: body.redirect_uris,
        scopes: body.scopes,
        is_confidential: body.is_confidential,
    };
    let client = state.app.register_client(administrator, command).await?;
    Ok(ClientView {
        client_id: client.client_id.to_string(),
        is_confidential: client.client_secret.is_some(),
        client_secret: client.client_secret.map(|secret| secret.expose_secret().to_owned()),
        client_name: client.client_name,
        redirect_uris: client.redirect_uris,
        scopes: client.scopes.to_words(),
    })
}

/// Lets administrators through, by name and password or by a token.
pub(crate) async fn administrator(state: &AppState, headers: &HeaderMap, address: &str) -> Result<Administrator, Box<Response>> {
    let outcome = match credentials(headers) {
        Credentials::Basic(name, password) => state.app.authenticate_administrator(&name, password.into(), address).await,
        Credentials::Bearer(token) => match state.app.authenticate_bearer(&token).await {
            Ok(caller) => state.app.administrator(&caller),
            Err(error) => Err(error),
        },
        Credentials::None => Err(Error::Unauthorized),
    };
    outcome.map_err(|error| {
        let is_unauthorized = matches!(error, Error::Unauthorized);
        let was_sent = sent_bearer(headers);
        let mut response = refuse(error, state.app.public_url(), Resource::Api, was_sent);
        if is_unauthorized {
            let basic = header::HeaderValue::from_static("Basic realm=\"picard\", charset=\"UTF-8\"");
            response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
        }
        Box::new(response)
    })
}

pub(crate) fn address(request: &Request) -> String {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map_or_else(|| "-".to_owned(), |info| info.0.ip().to_string())
}

enum Credentials {
    Basic(String, String),
    Bearer(String),
    None,
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return Credentials::None;
    };
    if let Some((name, password)) = parse_basic(value) {
        return Credentials::Basic(name, password);
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Credentials::Bearer(token.trim().to_owned()),
        _ => Credentials::None,
    }
}
