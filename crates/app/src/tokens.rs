//! Tokens: given, refreshed, revoked.

use futures_util::future::BoxFuture;
use picard_auth::OAuthError;
use picard_auth::access_token::{self, AccessTokenClaims};
use picard_auth::client::{ClientCredentials, secret_fits};
use picard_auth::refresh::{self, PresentedToken};
use picard_auth::user_token::{self, NamedAccount};
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};
use picard_domain::account::folded;
use picard_domain::{ClientId, Email, Error, GrantId, Scope, Scopes, TokenId, UserId, Username};
use picard_storage::accounts::{Account, NewAccount};
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

/// Whom a client names in the user-token flow.
#[derive(Debug, Clone)]
pub struct UserTokenRequest {
    /// The person's name.
    pub username: String,
    /// Their address.
    pub email: Option<String>,
    /// Whether to make the account if there is none.
    pub create_if_not_exists: bool,
    /// What is asked for.
    pub scope: Option<String>,
}

impl App {
    /// Gives tokens for a person whom the client names (user-token flow).
    ///
    /// # Errors
    /// As `CONTRACT` names them for `/api/user-tokens/user-token`.
    pub fn user_token<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        request: UserTokenRequest,
    ) -> BoxFuture<'a, Result<IssuedTokens, TokenError>> {
        Box::pin(async move {
            let client = self.authenticate_client(credentials).await?;
            if client.secret_hash.is_none() {
                return Err(OAuthError::unauthorized_client("Only confidential clients may name a person.").into());
            }
            let scopes = requested_scopes(request.scope.as_deref(), &client)?;
            let user_id = self.named_person(&client, &request).await?;
            let tokens = self.mint(&client, user_id, scopes).await?;
            tracing::info!(event = "user_token_issued", user.id = %user_id, client.id = %client.id, "A client got tokens for a person.");
            Ok(tokens)
        })
    }

    /// Exchanges a refresh token for new tokens (RFC 6749 section 6) and uses it up.
    ///
    /// # Errors
    /// `invalid_client`, `invalid_grant`, `invalid_scope`, `invalid_target`.
    pub fn refresh<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        refresh_token: &'a str,
        scope: Option<&'a str>,
        resource: Option<&'a str>,
    ) -> BoxFuture<'a, Result<IssuedTokens, TokenError>> {
        Box::pin(async move {
            let client = self.authenticate_client(credentials).await?;
            let wanted = scope.map(parse_scope).transpose()?.flatten();
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
            if claims.client_id == client.id {
                let expires_at = self.0.clock.after(access_token::LIFETIME);
                self.0.store.revoke_access_token(claims.token_id, claims.user_id, expires_at).await?;
            }
            Ok(())
        })
    }

    /// Checks who a client is. An unknown client and a wrong secret look the same (UTK-02).
    pub(crate) async fn authenticate_client(&self, credentials: &ClientCredentials) -> Result<Client, TokenError> {
        let stored = match credentials.client_id.parse::<ClientId>() {
            Ok(id) => self.0.store.client(id).await?,
            Err(_) => None,
        };
        stored
            .filter(|client| secret_fits(credentials.client_secret.as_deref(), client.secret_hash.as_ref()))
            .ok_or_else(|| OAuthError::invalid_client("The client is unknown or its secret is wrong.").into())
    }

    /// Finds or makes the account that the client names.
    async fn named_person(&self, client: &Client, request: &UserTokenRequest) -> Result<UserId, TokenError> {
        // By the folded name, before it is checked: no spelling of an administrator's name gets further (UTK-03).
        for _ in 0..2 {
            // By the address first: an account that is made in between is then found by both, not by the address alone.
            let by_email = match &request.email {
                Some(email) => self.0.store.account_by_email(&folded(email)).await?,
                None => None,
            };
            let by_username = self.0.store.account_by_username(&folded(&request.username)).await?;
            match user_token::decide(
                client.id,
                named(by_username.as_ref()),
                named(by_email.as_ref()),
                request.create_if_not_exists,
            ) {
                user_token::Decision::Mint(user_id) => {
                    // The key finds an account by spellings that no account could have.
                    new_account(client.id, request)?;
                    return Ok(user_id);
                }
                user_token::Decision::Refuse(error) => {
                    tracing::warn!(event = "user_token_refused", client.id = %client.id, reason = error.code, "A client was refused a person's tokens.");
                    return Err(error.into());
                }
                user_token::Decision::Create => {
                    let account = new_account(client.id, request)?;
                    if self.0.store.create_account(&account).await? {
                        return Ok(account.id);
                    }
                }
            }
            // Somebody else made the account at the same moment: look again (UTK-07).
        }
        Err(Error::Conflict("The account is being made by another request: try again.".to_owned()).into())
    }

    fn audience_of(&self, resource: &str) -> Result<String, OAuthError> {
        let issuer = &self.0.issuer;
        issuer
            .audience_of(resource)
            .ok_or_else(|| OAuthError::invalid_target(format!("The resources are {} and {}.", issuer.url, issuer.mcp_audience())))
    }

    async fn mint(&self, client: &Client, user_id: UserId, scopes: Scopes) -> Result<IssuedTokens, TokenError> {
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

    fn issue(
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
            client_id: client.id,
            grant_id,
            scopes: scopes.clone(),
            audience: audience.to_owned(),
            issued_at: self.0.clock.now().unix_seconds(),
            expires_at: self.0.clock.after(access_token::LIFETIME).unix_seconds(),
        };
        let token = access_token::issue(&self.0.signing_keys.current(), &self.0.issuer, &claims).map_err(Error::internal)?;
        Ok(IssuedTokens {
            access_token: token.into(),
            expires_in: access_token::LIFETIME.as_secs(),
            refresh_token,
            scopes,
            user_id,
        })
    }
}

/// `None` when nothing is asked for. Every client gets refresh tokens, so `offline_access` says nothing.
fn parse_scope(scope: &str) -> Result<Option<Scopes>, OAuthError> {
    let words: Vec<&str> = scope.split(' ').filter(|word| *word != "offline_access").collect();
    let scope = words.join(" ");
    if scope.is_empty() {
        return Ok(None);
    }
    let refused = |error: picard_domain::scope::ScopeError| OAuthError::invalid_scope(format!("scope {error}."));
    scope.parse().map(Some).map_err(refused)
}

/// What the user-token flow gives: never the administration, never more than the client may have (UTK-08).
fn requested_scopes(scope: Option<&str>, client: &Client) -> Result<Scopes, OAuthError> {
    let most: Scopes = [Scope::Read, Scope::Write].into_iter().collect::<Scopes>().intersection(&client.scopes);
    let wanted = scope.map(parse_scope).transpose()?.flatten().unwrap_or_else(|| most.clone());
    if !wanted.is_empty() && wanted.is_subset(&most) {
        return Ok(wanted);
    }
    Err(OAuthError::invalid_scope("The scope is more than this client may have for a person."))
}

fn named(account: Option<&Account>) -> Option<NamedAccount> {
    account.map(|account| NamedAccount {
        id: account.id,
        is_active: account.is_active,
        is_superuser: account.is_superuser,
        client_id: account.client_id,
    })
}

fn new_account(client: ClientId, request: &UserTokenRequest) -> Result<NewAccount, OAuthError> {
    let wrong = |member: &str, error: &dyn std::fmt::Display| OAuthError::invalid_request(format!("{member} {error}."));
    let username = Username::try_from(request.username.clone()).map_err(|error| wrong("username", &error))?;
    let email = request.email.clone().map(Email::try_from).transpose().map_err(|error| wrong("email", &error))?;
    Ok(NewAccount { id: UserId::generate(), username, email, password_hash: None, is_superuser: false, client_id: Some(client) })
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
