//! Tokens: minted for a person of this application, refreshed, revoked.

use std::time::Duration;

use http::StatusCode;
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::answer::{Answer, Outage};
use super::{ClientCredentials, ServerClient};

/// Two calls of this length fit into the time for which one replica has the right to refresh.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(10);

/// Tokens for one person, as the server hands them out.
#[derive(Debug, Deserialize)]
pub(crate) struct Grant {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: SecretString,
    pub(crate) expires_in: u32,
    /// Left out when it is what was asked for (RFC 6749, section 5.1).
    pub(crate) scope: Option<String>,
    /// Only in the answer to a mint.
    pub(crate) user_id: Option<Uuid>,
}

/// For whom tokens are to be minted.
#[derive(Debug)]
pub(crate) struct MintRequest<'a> {
    pub(crate) username: &'a str,
    pub(crate) email: Option<&'a str>,
    /// Whether the server may create the account.
    pub(crate) is_first_time: bool,
    /// What the tokens shall allow.
    pub(crate) scope: &'a str,
}

/// Why the server gave no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the server does not know this application's credentials")]
    InvalidClient,
    #[error("the server does not let this application connect people")]
    UnauthorizedClient,
    #[error("the username or e-mail address is another account's")]
    AccountLinkRequired,
    #[error("the account is deactivated or an administrator's")]
    AccessDenied,
    #[error("the account is not there any more")]
    UserNotFound,
    #[error("the refresh token is used, revoked or expired")]
    InvalidGrant,
    #[error("too many requests")]
    RateLimited(Option<u64>),
    #[error(transparent)]
    Outage(#[from] Outage),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OAuthProblem {
    error: String,
}

impl ServerClient {
    /// Asks for tokens for a person of this application (the user-token flow).
    pub(crate) async fn mint(&self, client: &ClientCredentials, request: &MintRequest<'_>) -> Result<Grant, TokenError> {
        let mut body = json!({
            "client_id": client.id(),
            "client_secret": client.secret(),
            "username": request.username,
            "create_if_not_exists": request.is_first_time,
            "scope": request.scope,
        });
        if let Some(email) = request.email {
            body["email"] = email.into();
        }
        let request = self.http.post(self.url("/api/user-tokens/user-token")).timeout(LONGEST_CALL).json(&body);
        grant(&Answer::to(request).await?)
    }

    /// Trades a refresh token for new tokens.
    pub(crate) async fn refresh(&self, client: &ClientCredentials, refresh_token: &SecretString) -> Result<Grant, TokenError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        let request =
            self.http.post(self.url("/token")).timeout(LONGEST_CALL).basic_auth(client.id(), Some(client.secret())).form(&form);
        grant(&Answer::to(request).await?)
    }

    /// Revokes a refresh token and, with it, every token of its family. An unknown token counts as revoked.
    pub(crate) async fn revoke(&self, client: &ClientCredentials, refresh_token: &SecretString) -> Result<(), TokenError> {
        let form = [("token", refresh_token.expose_secret()), ("token_type_hint", "refresh_token")];
        let request =
            self.http.post(self.url("/revoke")).timeout(LONGEST_CALL).basic_auth(client.id(), Some(client.secret())).form(&form);
        let answer = Answer::to(request).await?;
        if answer.status.is_success() { Ok(()) } else { Err(failure(&answer)) }
    }
}

pub(super) fn grant(answer: &Answer) -> Result<Grant, TokenError> {
    if answer.status.is_success() { Ok(answer.json()?) } else { Err(failure(answer)) }
}

fn failure(answer: &Answer) -> TokenError {
    let problem: OAuthProblem = answer.json().unwrap_or_default();
    match (problem.error.as_str(), answer.status) {
        ("invalid_client", _) => TokenError::InvalidClient,
        ("unauthorized_client" | "invalid_scope", _) => TokenError::UnauthorizedClient,
        ("account_link_required", _) => TokenError::AccountLinkRequired,
        ("access_denied", _) => TokenError::AccessDenied,
        ("user_not_found", _) => TokenError::UserNotFound,
        ("invalid_grant", _) => TokenError::InvalidGrant,
        (_, StatusCode::TOO_MANY_REQUESTS) => TokenError::RateLimited(answer.retry_after),
        _ => Outage::Unusable("it refused for a reason that is not known here").into(),
    }
}
