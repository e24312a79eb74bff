//! The user-token flow: a client names a person and gets their tokens.

use futures_util::future::BoxFuture;
use picard_auth::OAuthError;
use picard_auth::authorize::parse_scope;
use picard_auth::client::ClientCredentials;
use picard_auth::user_token::{self, NamedAccount};
use picard_domain::account::{folded, mailbox};
use picard_domain::{ClientId, ClientOrigin, Email, Error, Scope, Scopes, UserId, Username};
use picard_storage::accounts::{Account, NewAccount};
use picard_storage::audit::NewAuditEvent;
use picard_storage::clients::Client;

use crate::{App, IssuedTokens, TokenError};

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
    /// Gives tokens for a person whom the client names (user-token flow). Only clients that an administrator registered may
    /// do this (UTK-01), and for an account that its person connected, no more than that person has allowed.
    ///
    /// # Errors
    /// As `CONTRACT` names them for `/api/user-tokens/user-token`.
    pub fn user_token<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        request: UserTokenRequest,
        address: &'a str,
    ) -> BoxFuture<'a, Result<IssuedTokens, TokenError>> {
        Box::pin(async move {
            self.count_request("user-token", &credentials.client_id, address).await?;
            let client = self.authenticate_client(credentials).await?;
            if client.secret_hash.is_none() || client.origin != ClientOrigin::Administrator {
                let message = "Only confidential clients that an administrator has registered may name a person.";
                return Err(OAuthError::unauthorized_client(message).into());
            }
            let most: Scopes = [Scope::Read, Scope::Write].into_iter().collect::<Scopes>().intersection(&client.scopes);
            // Before anybody is looked for: a wrong request makes no account.
            let wanted = request.scope.as_deref().map(parse_scope).transpose()?.flatten().unwrap_or_else(|| most.clone());
            if wanted.is_empty() || !wanted.is_subset(&most) {
                return Err(too_much().into());
            }
            let user_id = match self.named_person(&client, &request).await {
                Ok(user_id) => user_id,
                Err(TokenError::OAuth(error)) => {
                    self.record_refusal(&client, &error, address).await?;
                    return Err(error.into());
                }
                Err(error) => return Err(error),
            };
            let scopes = self.scopes_for(&client, user_id, wanted, request.scope.is_some()).await?;
            let tokens = self.mint(&client, user_id, scopes).await?;
            self.record(NewAuditEvent {
                event: "user_token_issued",
                user_id: Some(user_id),
                client_id: Some(client.id),
                address: Some(address),
                details: serde_json::json!({ "scopes": tokens.scopes.to_words() }),
                ..Default::default()
            })
            .await?;
            tracing::info!(event = "user_token_issued", user.id = %user_id, client.id = %client.id, "A client got tokens for a person.");
            Ok(tokens)
        })
    }

    /// A client that asks for an administrator or for somebody else's account is worth a look (UTK-03).
    async fn record_refusal(&self, client: &Client, error: &OAuthError, address: &str) -> Result<(), Error> {
        if !matches!(error.code, "access_denied" | "account_link_required") {
            return Ok(());
        }
        tracing::warn!(event = "user_token_refused", client.id = %client.id, reason = error.code, "A client named an account that it may not use.");
        self.record(NewAuditEvent {
            event: "user_token_refused",
            client_id: Some(client.id),
            address: Some(address),
            details: serde_json::json!({ "reason": error.code }),
            ..Default::default()
        })
        .await
    }

    /// For an account that the client did not make, never more than its person has allowed (UTK-11).
    async fn scopes_for(
        &self,
        client: &Client,
        user_id: UserId,
        wanted: Scopes,
        is_asked_for: bool,
    ) -> Result<Scopes, TokenError> {
        if self.0.store.account_maker(user_id).await? == Some(client.id) {
            return Ok(wanted);
        }
        let allowed = wanted.intersection(&self.0.store.consented(user_id, client.id, None).await?);
        let is_enough = if is_asked_for { allowed == wanted } else { !allowed.is_empty() };
        if is_enough { Ok(allowed) } else { Err(too_much().into()) }
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
            let name = folded(&request.username);
            let by_username = self.0.store.account_by_username(&name).await?;
            // One can sign in with an address, so an address in the place of the name means the same account.
            let by_email = match by_email {
                None if by_username.is_none() && name.contains('@') => self.0.store.account_by_email(&name).await?,
                found => found,
            };
            match user_token::decide(
                client.id,
                self.named(by_username, client).await?,
                self.named(by_email, client).await?,
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
                    self.refuse_superusers_spellings(request).await?;
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

    /// No spelling of an administrator's name or address becomes an account, either (UTK-03).
    async fn refuse_superusers_spellings(&self, request: &UserTokenRequest) -> Result<(), TokenError> {
        let wanted = [Some(&request.username), request.email.as_ref()].into_iter().flatten().map(|text| mailbox(text));
        let taken: Vec<String> = self.0.store.superusers_names().await?.iter().map(|name| mailbox(name)).collect();
        if wanted.into_iter().any(|name| taken.contains(&name)) {
            return Err(OAuthError::access_denied("An administrator's account cannot be used this way.").into());
        }
        Ok(())
    }

    /// What the rules need to know of an account that bears the name or the address.
    async fn named(&self, account: Option<Account>, client: &Client) -> Result<Option<NamedAccount>, Error> {
        let Some(account) = account else { return Ok(None) };
        let is_own = account.client_id == Some(client.id);
        let is_linked = !is_own && !self.0.store.consented(account.id, client.id, None).await?.is_empty();
        Ok(Some(NamedAccount {
            id: account.id,
            is_active: account.is_active,
            is_superuser: account.is_superuser,
            client_id: account.client_id,
            is_linked,
        }))
    }
}

/// Never the administration, never more than the client may have (UTK-08).
fn too_much() -> OAuthError {
    OAuthError::invalid_scope("The scope is more than this client may have for this person.")
}

fn new_account(client: ClientId, request: &UserTokenRequest) -> Result<NewAccount, OAuthError> {
    let wrong = |member: &str, error: &dyn std::fmt::Display| OAuthError::invalid_request(format!("{member} {error}."));
    let username = Username::try_from(request.username.clone()).map_err(|error| wrong("username", &error))?;
    let email = request.email.clone().map(Email::try_from).transpose().map_err(|error| wrong("email", &error))?;
    Ok(NewAccount { id: UserId::generate(), username, email, password_hash: None, is_superuser: false, client_id: Some(client) })
}
