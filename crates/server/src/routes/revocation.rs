//! Tokens ended by an administrator.

use axum::Json;
use axum::extract::State;
use picard_domain::{ClientId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::StrictJson;
use crate::error::Problem;
use crate::routes::admin::Admin;
use crate::state::AppState;

/// Whose tokens are to end; at least one of the two.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    /// The person.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// The client.
    #[schema(value_type = Option<String>)]
    client_id: Option<ClientId>,
}

/// Ends all tokens of a person, of a client, or of a client for a person, at once.
#[utoipa::path(post, path = "/api/admin/tokens/revoke", tag = "administration", operation_id = "revoke_tokens",
    request_body = Revocation, security(("administrator" = []), ("bearer" = ["memories:admin"])), responses(
    (status = 200, description = "How many grants ended", body = Value, example = json!({"revoked": 3})),
    (status = 401, description = "Not an administrator's name and password"),
    (status = 403, description = "Somebody who is not an administrator"),
    (status = 422, description = "Neither a person nor a client"),
    (status = 429, description = "Too many failed tries")))]
pub(crate) async fn revoke_tokens(
    State(state): State<AppState>,
    Admin(administrator): Admin,
    StrictJson(body): StrictJson<Revocation>,
) -> Result<Json<Value>, Problem> {
    let revoked = state.app.revoke_tokens(administrator, body.user_id, body.client_id).await?;
    Ok(Json(json!({ "revoked": revoked })))
}
