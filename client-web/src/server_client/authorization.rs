//! The authorization code flow (RFC 6749, section 4.1, with PKCE) as a client: what the server says of itself, and
//! trading a code for tokens.

use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::answer::{Answer, Outage};
use super::tokens::{Grant, LONGEST_CALL, TokenError, grant};
use super::{ClientCredentials, ServerClient};

/// What is needed of the authorization server's metadata (RFC 8414).
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: String,
    /// RFC 9207.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(crate) code_challenge_methods_supported: Vec<String>,
}

/// An account as its own token shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct OwnAccount {
    pub(crate) id: Uuid,
    /// Whether its person can sign in at the server.
    #[serde(default)]
    pub(crate) has_password: bool,
}

impl ServerClient {
    /// What the authorization server says of itself.
    pub(crate) async fn metadata(&self) -> Result<Metadata, Outage> {
        let request = self.http.get(self.url("/.well-known/oauth-authorization-server")).timeout(LONGEST_CALL);
        let answer = Answer::to(request).await?;
        if answer.status.is_success() { answer.json() } else { Err(Outage::Unusable("it has no metadata")) }
    }

    /// Trades a code for tokens.
    pub(crate) async fn redeem(
        &self,
        client: &ClientCredentials,
        (code, verifier): (&str, &SecretString),
        redirect_uri: &str,
    ) -> Result<Grant, TokenError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier.expose_secret()),
            ("redirect_uri", redirect_uri),
        ];
        let request =
            self.http.post(self.url("/token")).timeout(LONGEST_CALL).basic_auth(client.id(), Some(client.secret())).form(&form);
        grant(&Answer::to(request).await?)
    }

    /// Whose account a token is for, as the server itself says.
    pub(crate) async fn account_of(&self, access_token: &SecretString) -> Result<OwnAccount, Outage> {
        let request = self.http.get(self.url("/api/users/me")).timeout(LONGEST_CALL).bearer_auth(access_token.expose_secret());
        let answer = Answer::to(request).await?;
        if !answer.status.is_success() {
            return Err(Outage::Unusable("it does not take the token that it has just given"));
        }
        answer.json()
    }
}
