//! The token endpoint and revocation (RFC 6749, RFC 7009).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use picard_app::{CodeExchange, IssuedTokens, RefreshRequest, TokenError};
use picard_auth::OAuthError;
use picard_auth::client::{ClientCredentials, client_credentials};
use picard_crypto::ExposeSecret;
use serde_json::{Value, json};

use crate::body::{OAuthBody, Parameters};
use crate::oauth_error::OAuthProblem;
use crate::state::AppState;

const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

/// A request for tokens.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the form itself is read by OAuthBody")]
pub(crate) struct TokenForm {
    /// `authorization_code` or `refresh_token`.
    #[schema(example = "authorization_code")]
    grant_type: String,
    /// The code; it is used up.
    #[schema(example = "p5kH1…", required = false)]
    code: String,
    /// Where the code was sent, if /authorize was told.
    #[schema(example = "https://app.example.com/cb", required = false)]
    redirect_uri: String,
    /// What the code challenge is the hash of (RFC 7636).
    #[schema(example = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", required = false)]
    code_verifier: String,
    /// The refresh token; it is used up.
    #[schema(example = "Wb0m2…", required = false)]
    refresh_token: String,
    /// Fewer scopes than were granted.
    #[schema(example = "memories:read", required = false)]
    scope: String,
    /// Whom the access token is for: the server's URL, or that of its MCP endpoint (RFC 8707).
    #[schema(example = "http://127.0.0.1:8001/mcp", required = false)]
    resource: String,
    /// Unless the client uses HTTP Basic.
    #[schema(required = false)]
    client_id: String,
    /// Unless the client uses HTTP Basic or has none.
    #[schema(required = false)]
    client_secret: String,
}

/// A token to be revoked.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the form itself is read by OAuthBody")]
pub(crate) struct RevocationForm {
    /// An access token, or a refresh token, which takes its whole family with it.
    #[schema(example = "Wb0m2…")]
    token: String,
    /// Ignored: the token tells.
    #[schema(required = false)]
    token_type_hint: String,
}

/// The answer of the token endpoint.
pub(crate) fn tokens(issued: &IssuedTokens) -> Value {
    json!({
        "access_token": issued.access_token.expose_secret(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh_token.expose_secret(),
        "scope": issued.scopes.to_string(),
    })
}

/// Tokens are for the client alone: no cache may keep them (RFC 6749 section 5.1).
pub(crate) fn unstored(body: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}

/// Who the client says it is.
pub(crate) fn credentials(body: &OAuthBody, parameters: &Parameters) -> Result<ClientCredentials, OAuthError> {
    client_credentials(body.authorization(), parameters.get("client_id"), parameters.get("client_secret"))
}

/// Exchanges a code or a refresh token for tokens; it is used up.
#[utoipa::path(post, path = "/token", tag = "oauth", operation_id = "token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), security((), ("client" = [])), responses(
    (status = 200, description = "New tokens", body = Value, example = json!({"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": "…", "scope": "memories:read memories:write"})),
    (status = 400, description = "invalid_request, invalid_grant, invalid_scope, invalid_target or unsupported_grant_type"),
    (status = 401, description = "invalid_client")))]
pub(crate) async fn token(State(state): State<AppState>, request: Request) -> Response {
    let body = match OAuthBody::read(request, &state, false).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let is_basic = body.authorization().is_some();
    let exchanged = exchange(&state, &body).await;
    let grant_type = body.parameters.as_ref().ok().and_then(|parameters| parameters.get("grant_type"));
    let grant_type = grant_type.and_then(|given| GRANT_TYPES.into_iter().find(|known| *known == given)).unwrap_or("other");
    state.metrics.token_request(grant_type, exchanged.as_ref().err().map_or("issued", TokenError::code));
    match exchanged {
        Ok(issued) => unstored(tokens(&issued)),
        Err(error) => OAuthProblem::new(error, is_basic).into_response(),
    }
}

async fn exchange(state: &AppState, body: &OAuthBody) -> Result<IssuedTokens, TokenError> {
    let parameters = body.parameters.as_ref().map_err(Clone::clone)?;
    let grant_type = parameters.require("grant_type")?;
    if !GRANT_TYPES.contains(&grant_type) {
        return Err(OAuthError::unsupported_grant_type("The grant types are: authorization_code, refresh_token.").into());
    }
    let credentials = credentials(body, parameters)?;
    let resource = parameters.get("resource");
    if grant_type == "refresh_token" {
        let request =
            RefreshRequest { refresh_token: parameters.require("refresh_token")?, scope: parameters.get("scope"), resource };
        return state.app.refresh(&credentials, request, &body.address).await;
    }
    let exchange = CodeExchange {
        code: parameters.require("code")?,
        redirect_uri: parameters.get("redirect_uri"),
        code_verifier: parameters.get("code_verifier"),
        resource,
    };
    state.app.exchange_code(&credentials, exchange, &body.address).await
}

/// Revokes a token of the client; one that is unknown is no error.
#[utoipa::path(post, path = "/revoke", tag = "oauth", operation_id = "revoke",
    request_body(content = RevocationForm, content_type = "application/x-www-form-urlencoded"), security((), ("client" = [])), responses(
    (status = 200, description = "The token holds no more"), (status = 400, description = "invalid_request"),
    (status = 401, description = "invalid_client")))]
pub(crate) async fn revoke(State(state): State<AppState>, request: Request) -> Response {
    let body = match OAuthBody::read(request, &state, false).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let is_basic = body.authorization().is_some();
    match revoke_token(&state, &body).await {
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        Err(error) => OAuthProblem::new(error, is_basic).into_response(),
    }
}

async fn revoke_token(state: &AppState, body: &OAuthBody) -> Result<(), TokenError> {
    let parameters = body.parameters.as_ref().map_err(Clone::clone)?;
    let credentials = credentials(body, parameters)?;
    state.app.revoke(&credentials, parameters.require("token")?).await
}
