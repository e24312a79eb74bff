//! Token introspection (RFC 7662).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use picard_app::{ActiveToken, TokenError};
use serde_json::{Value, json};

use crate::body::OAuthBody;
use crate::oauth_error::OAuthProblem;
use crate::routes::tokens::{credentials, unstored};
use crate::state::AppState;

/// A token to be looked at.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document; the form itself is read by OAuthBody")]
pub(crate) struct IntrospectionForm {
    /// An access token or a refresh token.
    #[schema(example = "Wb0m2…")]
    token: String,
    /// Ignored: the token tells.
    #[schema(required = false)]
    token_type_hint: String,
}

/// Says what a token of the client is worth now; every other token is just not active.
#[utoipa::path(post, path = "/introspect", tag = "oauth", operation_id = "introspect",
    request_body(content = IntrospectionForm, content_type = "application/x-www-form-urlencoded"), security((), ("client" = [])), responses(
    (status = 200, description = "What the token is worth", body = Value, example = json!({"active": true, "scope": "memories:read", "client_id": "…",
        "sub": "…", "iss": "…", "aud": "…", "iat": 1, "exp": 2, "jti": "…", "token_type": "Bearer"})),
    (status = 400, description = "invalid_request"), (status = 401, description = "invalid_client")))]
pub(crate) async fn introspect(State(state): State<AppState>, request: Request) -> Response {
    let body = match OAuthBody::read(request, &state, false).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let is_basic = body.authorization().is_some();
    match look(&state, &body).await {
        Ok(Some(token)) => unstored(facts(&token, state.app.public_url())),
        Ok(None) => unstored(json!({ "active": false })),
        Err(error) => OAuthProblem::new(error, is_basic).into_response(),
    }
}

async fn look(state: &AppState, body: &OAuthBody) -> Result<Option<ActiveToken>, TokenError> {
    let parameters = body.parameters.as_ref().map_err(Clone::clone)?;
    let credentials = credentials(body, parameters)?;
    state.app.introspect(&credentials, parameters.require("token")?).await
}

fn facts(token: &ActiveToken, issuer: &str) -> Value {
    let mut facts = json!({
        "active": true,
        "scope": token.scopes.to_string(),
        "client_id": token.client_id,
        "sub": token.user_id.to_string(),
        "iss": issuer,
        "aud": token.audience,
        "exp": token.expires_at,
    });
    if let Some(access) = &token.access {
        facts["token_type"] = "Bearer".into();
        facts["iat"] = access.issued_at.into();
        facts["jti"] = access.token_id.to_string().into();
    }
    facts
}
