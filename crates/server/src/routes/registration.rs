//! Dynamic client registration (RFC 7591).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::{SelfRegisteredClient, json};
use picard_auth::OAuthError;
use picard_crypto::ExposeSecret;
use serde_json::{Value, json};

use crate::address;
use crate::body::{is_json, is_plain, unsupported};
use crate::oauth_error::OAuthProblem;
use crate::state::AppState;

/// What a client says about itself.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the body itself is read by the rules")]
pub(crate) struct RegistrationRequest {
    /// Where codes may be sent: https, or http on the loopback interface.
    #[schema(example = json!(["http://127.0.0.1/callback"]))]
    redirect_uris: Vec<String>,
    /// The name that people see.
    #[schema(example = "My editor", required = false)]
    client_name: String,
    /// client_secret_basic, client_secret_post or none.
    #[schema(example = "none", required = false)]
    token_endpoint_auth_method: String,
    /// What it may ask for at most; everything but the administration if left out.
    #[schema(example = "memories:read memories:write", required = false)]
    scope: String,
}

/// Registers a client that comes by itself. Also takes the short form `{client_name, redirect_uris, scopes, is_confidential}`.
#[utoipa::path(post, path = "/register", tag = "oauth", operation_id = "register", security(()),
    request_body = RegistrationRequest, responses(
    (status = 201, description = "The client; its secret, if it has one, is shown this once", body = Value, example = json!({"client_id": "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11",
        "client_id_issued_at": 1_767_225_600, "client_name": "My editor", "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "token_endpoint_auth_method": "none",
        "scope": "memories:read memories:write", "scopes": ["memories:read", "memories:write"], "is_confidential": false})),
    (status = 400, description = "invalid_redirect_uri or invalid_client_metadata"),
    (status = 403, description = "access_denied: clients cannot register themselves here"),
    (status = 429, description = "Too many registrations from this address")))]
pub(crate) async fn register(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_plain(&parts.headers, is_json) {
        return OAuthProblem::from(unsupported("application/json")).into_response();
    }
    let address = address::of(&parts, &state);
    let bytes = match Bytes::from_request(Request::from_parts(parts, body), &state).await {
        Ok(bytes) => bytes,
        Err(rejection) => return too_large(rejection.into_response().status()).into_response(),
    };
    let document = match json::parse(&bytes) {
        Ok(document) => document,
        Err(error) => {
            let error = OAuthError::invalid_client_metadata(format!("The body is not JSON: {error}"));
            return OAuthProblem::new(error, false).into_response();
        }
    };
    match state.app.register_self(document, &address).await {
        Ok(client) => {
            (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(answer(&client)))
                .into_response()
        }
        Err(error) => OAuthProblem::new(error, false).into_response(),
    }
}

fn too_large(status: StatusCode) -> OAuthProblem {
    crate::error::Problem::new(status, "body_too_large", "The body is larger than this endpoint takes.").into()
}

/// Everything that was registered (RFC 7591 section 3.2.1), in both forms.
fn answer(registered: &SelfRegisteredClient) -> Value {
    let client = &registered.client;
    let mut answer = json!({
        "client_id": client.id,
        "client_id_issued_at": registered.issued_at,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": registered.auth_method.as_str(),
        "scope": client.scopes.to_string(),
        "scopes": client.scopes.to_words(),
        "is_confidential": registered.secret.is_some(),
    });
    if let Some(secret) = &registered.secret {
        answer["client_secret"] = secret.expose_secret().into();
        answer["client_secret_expires_at"] = 0.into();
    }
    answer
}
