//! The user-token flow: a confidential client names a person and gets their tokens.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use picard_app::{IssuedTokens, TokenError, UserTokenRequest};

use super::tokens::{credentials, tokens, unstored};
use crate::body::OAuthBody;
use crate::oauth_error::OAuthProblem;
use crate::state::AppState;

/// Whom the client names.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the body itself is read by OAuthBody")]
pub(crate) struct UserTokenBody {
    /// The client's id.
    #[schema(example = "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11")]
    client_id: String,
    /// The client's secret.
    #[schema(example = "Wb0m2…")]
    client_secret: String,
    /// The person's name at the client.
    #[schema(example = "ada")]
    username: String,
    /// Their address.
    #[schema(example = "ada@example.org", required = false)]
    email: String,
    /// Whether to make the account if there is none.
    #[schema(default = false, required = false)]
    create_if_not_exists: bool,
    /// What is asked for; everything the client may have if left out.
    #[schema(example = "memories:read memories:write", required = false)]
    scope: String,
}

/// Gives tokens for a person to the client that made their account.
#[utoipa::path(post, path = "/api/user-tokens/user-token", tag = "oauth", operation_id = "user_token",
    request_body(content((UserTokenBody = "application/json"), (UserTokenBody = "application/x-www-form-urlencoded"))),
    security((), ("client" = [])), responses(
    (status = 200, description = "Tokens", body = serde_json::Value, example = json!({"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": "…", "scope": "memories:read memories:write", "user_id": "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11"})),
    (status = 400, description = "invalid_request or invalid_scope"),
    (status = 401, description = "invalid_client"), (status = 403, description = "unauthorized_client or access_denied"),
    (status = 404, description = "user_not_found"), (status = 409, description = "account_link_required")))]
pub(crate) async fn user_token(State(state): State<AppState>, request: Request) -> Response {
    let body = match OAuthBody::read(request, &state, true).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let is_basic = body.authorization().is_some();
    let issued = issue(&state, &body).await;
    state.metrics.token_request("user_token", issued.as_ref().err().map_or("issued", TokenError::code));
    match issued {
        Ok(issued) => {
            let mut answer = tokens(&issued);
            answer["user_id"] = issued.user_id.to_string().into();
            unstored(answer)
        }
        Err(error) => OAuthProblem::new(error, is_basic).into_response(),
    }
}

async fn issue(state: &AppState, body: &OAuthBody) -> Result<IssuedTokens, TokenError> {
    let parameters = body.parameters.as_ref().map_err(Clone::clone)?;
    let credentials = credentials(body, parameters)?;
    let request = UserTokenRequest {
        username: parameters.require("username")?.to_owned(),
        email: parameters.get("email").map(str::to_owned),
        create_if_not_exists: parameters.flag("create_if_not_exists")?,
        scope: parameters.get("scope").map(str::to_owned),
    };
    state.app.user_token(&credentials, request, &body.address).await
}
