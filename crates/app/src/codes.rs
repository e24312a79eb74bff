//! Exchanging authorization codes for tokens (RFC 6749 section 4.1.3).

use futures_util::future::BoxFuture;
use picard_auth::OAuthError;
use picard_auth::authorization_code::{self, Decision, PresentedCode, Redemption};
use picard_auth::client::ClientCredentials;
use picard_auth::refresh;
use picard_crypto::{ExposeSecret, hash_token, random_token};
use picard_domain::{ClientId, Error, GrantId, Scopes, UserId};
use picard_storage::audit::NewAuditEvent;
use picard_storage::clients::Client;
use picard_storage::codes::{AuthorizationCode, NewFamily};

use crate::{App, IssuedTokens, TokenError};

/// What a client sends to exchange a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeExchange<'a> {
    /// The code.
    pub code: &'a str,
    /// The redirect URI that it was sent to.
    pub redirect_uri: Option<&'a str>,
    /// The PKCE verifier.
    pub code_verifier: Option<&'a str>,
    /// Whom the access token is to be for.
    pub resource: Option<&'a str>,
}

impl App {
    /// Exchanges a code for tokens, once. A code that comes back ends everything that came of it, whoever was first
    /// (RFC 6749 section 10.5, TOK-02).
    ///
    /// # Errors
    /// `invalid_client`, `invalid_grant`, `invalid_target`.
    pub fn exchange_code<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        exchange: CodeExchange<'a>,
        address: &'a str,
    ) -> BoxFuture<'a, Result<IssuedTokens, TokenError>> {
        Box::pin(async move {
            self.count_request("token", &credentials.client_id, address).await?;
            let client = self.authenticate_client(credentials).await?;
            let audience = exchange.resource.map(|resource| self.audience_of(resource)).transpose()?;
            let hash = hash_token(exchange.code);
            // Whoever loses the race for a code looks at it again, and finds it used.
            for _ in 0..2 {
                let invalid =
                    || OAuthError::invalid_grant("The code is not valid (any more): start again at the authorization endpoint.");
                let stored = self.0.store.authorization_code(&hash).await?.ok_or_else(invalid)?;
                let redemption = Redemption {
                    client_id: client.id,
                    redirect_uri: exchange.redirect_uri,
                    code_verifier: exchange.code_verifier,
                };
                match authorization_code::decide(&presented(&stored, &client), redemption, self.0.clock.now()) {
                    Decision::Exchange(scopes) => {
                        let audience = audience.as_ref().unwrap_or(&stored.audience);
                        if let Some(tokens) = self.redeem(&client, &stored, &hash, scopes, audience).await? {
                            self.record_redemption(&client, &tokens, address).await?;
                            return Ok(tokens);
                        }
                    }
                    Decision::Refuse(error) => return Err(error.into()),
                    Decision::CountFailure(error) => {
                        self.0.store.count_failed_redemption(&hash).await?;
                        return Err(error.into());
                    }
                    Decision::RevokeFamily(error) => {
                        if let Some(grant) = stored.grant_id {
                            self.0.store.revoke_grant(grant).await?;
                            self.record_reuse("authorization_code_reused", stored.user_id, client.id, grant, address).await?;
                            tracing::warn!(
                                event = "authorization_code_reused", grant.id = %grant, user.id = %stored.user_id, client.id = %client.id,
                                "An authorization code came back after it was used; what came of it has ended."
                            );
                        }
                        return Err(error.into());
                    }
                }
            }
            Err(OAuthError::invalid_grant("The code is not valid (any more): start again at the authorization endpoint.").into())
        })
    }

    /// `None` when somebody else was faster.
    async fn redeem(
        &self,
        client: &Client,
        code: &AuthorizationCode,
        hash: &[u8; 32],
        scopes: Scopes,
        audience: &str,
    ) -> Result<Option<IssuedTokens>, TokenError> {
        let refresh_token = random_token();
        let family = NewFamily {
            grant_id: GrantId::generate(),
            expires_at: self.0.clock.after(refresh::GRANT_LIFETIME),
            refresh_token_hash: &hash_token(refresh_token.expose_secret()),
            refresh_token_expires_at: self.0.clock.after(refresh::IDLE_LIFETIME),
        };
        if !self.0.store.redeem_code(hash, &scopes, family).await? {
            return Ok(None);
        }
        self.issue(client, code.user_id, family.grant_id, scopes, audience, refresh_token).map(Some)
    }

    /// Somebody has a code or a token that was used: what came of it has ended, and people should know.
    pub(crate) async fn record_reuse(
        &self,
        event: &'static str,
        user_id: UserId,
        client_id: ClientId,
        grant_id: GrantId,
        address: &str,
    ) -> Result<(), Error> {
        self.record(NewAuditEvent {
            event,
            user_id: Some(user_id),
            client_id: Some(client_id),
            address: Some(address),
            details: serde_json::json!({ "grant_id": grant_id }),
            ..Default::default()
        })
        .await
    }

    async fn record_redemption(&self, client: &Client, tokens: &IssuedTokens, address: &str) -> Result<(), TokenError> {
        let event = NewAuditEvent {
            event: "tokens_issued",
            user_id: Some(tokens.user_id),
            client_id: Some(client.id),
            address: Some(address),
            details: serde_json::json!({ "grant_type": "authorization_code", "scopes": tokens.scopes.to_words() }),
            ..Default::default()
        };
        self.record(event).await?;
        tracing::info!(event = "tokens_issued", user.id = %tokens.user_id, client.id = %client.id, "A client exchanged a code for tokens.");
        Ok(())
    }
}

fn presented(stored: &AuthorizationCode, client: &Client) -> PresentedCode {
    PresentedCode {
        client_id: stored.client_id,
        redirect_uri: stored.redirect_uri.clone(),
        redirect_uri_given: stored.redirect_uri_given,
        code_challenge: stored.code_challenge.clone(),
        scopes: stored.scopes.clone(),
        client_scopes: client.scopes.clone(),
        expires_at: stored.expires_at,
        failed_tries: stored.failed_tries,
        is_consumed: stored.grant_id.is_some(),
        is_user_active: stored.is_user_active,
    }
}
