//! Tokens: given, refreshed, revoked.

use futures_util::future::BoxFuture;
use picard_auth::OAuthError;
use picard_auth::access_token::{self, AccessTokenClaims};
use picard_auth::authorize;
use picard_auth::client::{ClientCredentials, is_authentic};
use picard_auth::metadata_document::is_document_address;
use picard_auth::refresh::{self, PresentedToken};
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};
use picard_domain::{ClientId, Error, GrantId, Scopes, TokenId, UserId};
use picard_storage::clients::Client;
use picard_storage::grants::{NewGrant, RefreshToken};

use crate::App;

/// Why a token was not given: by the rules of OAuth, or because something is wrong here.
#[derive(Debug)]
pub enum TokenError {
    /// The request is refused.
    OAuth(OAuthError),
    /// The request could not be handled.
    Other(Error),
}

impl TokenError {
    /// The word that stands for it in an answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OAuth(error) => error.code,
            Self::Other(error) => error.code(),
        }
    }
}

impl From<OAuthError> for TokenError {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Tokens for a client.
#[derive(Debug)]
pub struct IssuedTokens {
    /// The access token, a JWT.
    pub access_token: SecretString,
    /// How long it lives, in seconds.
    pub expires_in: u64,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// What the access token allows.
    pub scopes: Scopes,
    /// The person.
    pub user_id: UserId,
}

/// What a client sends to refresh.
#[derive(Debug, Clone, Copy)]
pub struct RefreshRequest<'a> {
    /// The refresh token.
    pub refresh_token: &'a str,
    /// Fewer scopes than were granted.
    pub scope: Option<&'a str>,
    /// Whom the access token is to be for.
    pub resource: Option<&'a str>,
}

impl App {
    /// Exchanges a refresh token for new tokens (RFC 6749 section 6) and uses it up.
    ///
    /// # Errors
    /// `invalid_client`, `invalid_grant`, `invalid_scope`, `invalid_target`.
    pub fn refresh<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        request: RefreshRequest<'a>,
        address: &'a str,
    ) -> BoxFuture<'a, Result<IssuedTokens, TokenError>> {
        Box::pin(async move {
            let RefreshRequest { refresh_token, scope, resource } = request;
            self.count_request("token", &credentials.client_id, address).await?;
            let client = self.authenticate_client(credentials).await?;
            let wanted = scope.map(authorize::parse_scope).transpose()?.flatten();
            let audience = resource.map(|resource| self.audience_of(resource)).transpose()?;
            let old = hash_token(refresh_token);
            let invalid = || OAuthError::invalid_grant("The refresh token is not valid (any more): connect again.");
            let stored = self.0.store.refresh_token(&old).await?.ok_or_else(invalid)?;
            let presented = presented(&stored, &client);
            let decision =
                refresh::decide(&presented, client.id, wanted.as_ref(), self.0.clock.now(), self.0.settings.refresh_leeway);
            let scopes = match decision {
                refresh::Decision::Rotate(scopes) => scopes,
                refresh::Decision::Refuse(error) => return Err(error.into()),
                refresh::Decision::RevokeFamily(error) => {
                    self.0.store.revoke_grant(stored.grant_id).await?;
                    self.record_reuse("refresh_token_reused", stored.user_id, client.id, stored.grant_id, address).await?;
                    tracing::warn!(
                        event = "refresh_token_reused", grant.id = %stored.grant_id, user.id = %stored.user_id, client.id = %client.id,
                        "A refresh token came back after it was used; its whole family has ended."
                    );
                    return Err(error.into());
                }
            };
            let new = random_token();
            let expires_at = self.0.clock.after(refresh::IDLE_LIFETIME).min(stored.grant_expires_at);
            if !self.0.store.rotate_refresh_token(&old, &hash_token(new.expose_secret()), expires_at).await? {
                return Err(invalid().into());
            }
            tracing::info!(
                event = "tokens_refreshed", grant.id = %stored.grant_id, user.id = %stored.user_id, client.id = %client.id,
                "A client exchanged a refresh token for tokens."
            );
            self.issue(&client, stored.user_id, stored.grant_id, scopes, audience.as_ref().unwrap_or(&stored.audience), new)
        })
    }

    /// Revokes a token of this client (RFC 7009): a refresh token with its whole family, an access token alone.
    /// A token that is unknown, or somebody else's, changes nothing and is no error (REV-02, REV-03).
    ///
    /// # Errors
    /// `invalid_client`.
    pub fn revoke<'a>(&'a self, credentials: &'a ClientCredentials, token: &'a str) -> BoxFuture<'a, Result<(), TokenError>> {
        Box::pin(async move {
            let client = self.authenticate_client(credentials).await?;
            if let Some(stored) = self.0.store.refresh_token(&hash_token(token)).await? {
                if stored.client_id == client.id {
                    self.0.store.revoke_grant(stored.grant_id).await?;
                    tracing::info!(event = "grant_revoked", user.id = %stored.user_id, client.id = %client.id, "A client ended a grant.");
                }
                return Ok(());
            }
            let Ok(claims) = self.verify_access_token(token).await? else {
                return Ok(());
            };
            if claims.client_id == client.public_id() {
                let expires_at = self.0.clock.after(access_token::LIFETIME);
                self.0.store.revoke_access_token(claims.token_id, claims.user_id, expires_at).await?;
                tracing::info!(event = "access_token_revoked", user.id = %claims.user_id, client.id = %client.id, "A client ended an access token.");
            }
            Ok(())
        })
    }

    /// Checks who a client is. An unknown client and a wrong secret look the same (UTK-02).
    pub(crate) async fn authenticate_client(&self, credentials: &ClientCredentials) -> Result<Client, TokenError> {
        let stored = if is_document_address(&credentials.client_id) {
            self.0.store.client_by_metadata_url(&credentials.client_id).await?.map(|(client, _)| client)
        } else {
            match credentials.client_id.parse::<ClientId>() {
                // One that is named by its document has no other name.
                Ok(id) => self.0.store.client(id).await?.filter(|client| client.metadata_url.is_none()),
                Err(_) => None,
            }
        };
        stored.filter(|client| is_authentic(credentials, client.secret_hash.as_ref(), client.auth_method)).ok_or_else(|| {
            tracing::warn!(event = "client_refused", "A client is unknown or its secret is wrong.");
            OAuthError::invalid_client("The client is unknown or its secret is wrong.").into()
        })
    }

    /// Whom a token is for that is asked for with this `resource`.
    pub(crate) fn audience_of(&self, resource: &str) -> Result<String, OAuthError> {
        self.0.issuer.audience_of(resource).ok_or_else(|| self.0.issuer.unknown_resource())
    }

    /// Makes a grant and its first tokens.
    pub(crate) async fn mint(&self, client: &Client, user_id: UserId, scopes: Scopes) -> Result<IssuedTokens, TokenError> {
        let refresh_token = random_token();
        let grant = NewGrant {
            id: GrantId::generate(),
            user_id,
            client_id: client.id,
            scopes: scopes.clone(),
            audience: self.0.issuer.url.clone(),
            expires_at: self.0.clock.after(refresh::GRANT_LIFETIME),
            refresh_token_hash: hash_token(refresh_token.expose_secret()),
            refresh_token_expires_at: self.0.clock.after(refresh::IDLE_LIFETIME),
        };
        self.0.store.create_grant(&grant).await?;
        self.issue(client, user_id, grant.id, scopes, &grant.audience, refresh_token)
    }

    /// Signs the access token of a grant.
    pub(crate) fn issue(
        &self,
        client: &Client,
        user_id: UserId,
        grant_id: GrantId,
        scopes: Scopes,
        audience: &str,
        refresh_token: SecretString,
    ) -> Result<IssuedTokens, TokenError> {
        let claims = AccessTokenClaims {
            token_id: TokenId::generate(),
            user_id,
            client_id: client.public_id(),
            grant_id,
            scopes: scopes.clone(),
            audience: audience.to_owned(),
            issued_at: self.0.clock.now().unix_seconds(),
            expires_at: self.0.clock.after(access_token::LIFETIME).unix_seconds(),
        };
        let token = access_token::issue(&self.0.signing_keys.current().set, &self.0.issuer, &claims).map_err(Error::internal)?;
        Ok(IssuedTokens {
            access_token: token.into(),
            expires_in: access_token::LIFETIME.as_secs(),
            refresh_token,
            scopes,
            user_id,
        })
    }
}

fn presented(stored: &RefreshToken, client: &Client) -> PresentedToken {
    PresentedToken {
        client_id: stored.client_id,
        granted: stored.scopes.clone(),
        client_scopes: client.scopes.clone(),
        expires_at: stored.expires_at,
        grant_expires_at: stored.grant_expires_at,
        is_revoked: stored.is_revoked,
        is_user_active: stored.is_user_active,
        consumed_at: stored.consumed_at,
    }
}
