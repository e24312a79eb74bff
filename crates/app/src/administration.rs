//! What administrators do, and how they prove that they are administrators.

use futures_util::future::BoxFuture;
use picard_auth::client::check_registration;
use picard_crypto::{ExposeSecret, SecretString, Verdict, hash_token, random_token};
use picard_domain::account::folded;
use picard_domain::{Caller, ClientId, Error, Scope, Scopes, UserId};
use picard_storage::accounts::Account;
use picard_storage::clients::Client;

use crate::App;

/// The most failed tries to sign in a minute, per account and address.
const MOST_FAILURES: i32 = 10;

/// Somebody who has proved to be an administrator.
#[derive(Debug, Clone, Copy)]
pub struct Administrator {
    /// The person.
    pub user_id: UserId,
}

/// What an administrator registers.
#[derive(Debug, Clone)]
pub struct RegisterClient {
    /// The client's name, as people see it.
    pub client_name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most.
    pub scopes: Vec<String>,
    /// Whether it can keep a secret.
    pub is_confidential: bool,
}

/// A client as it was registered; the secret is shown this once.
#[derive(Debug)]
pub struct RegisteredClient {
    /// The client.
    pub client_id: ClientId,
    /// Its secret; `None` for a public client.
    pub client_secret: Option<SecretString>,
    /// Its name.
    pub client_name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most.
    pub scopes: Scopes,
    /// Whether it can keep a secret.
    pub is_confidential: bool,
}

impl App {
    /// Lets an administrator in by name or e-mail address and password. Unknown names cost the same time as wrong
    /// passwords, and ten failures a minute from one address close the door for it (LOG-05, LOG-07).
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::RateLimited`], [`Error::Unavailable`] when too many passwords are being hashed.
    pub fn authenticate_administrator<'a>(
        &'a self,
        name: &'a str,
        password: SecretString,
        address: &'a str,
    ) -> BoxFuture<'a, Result<Administrator, Error>> {
        Box::pin(async move {
            let key = folded(name);
            let subject = hash_token(&format!("sign-in {key} {address}"));
            if let Some(retry_after) = self.0.store.sign_in_wait(&subject, MOST_FAILURES).await? {
                return Err(Error::RateLimited { retry_after });
            }
            let account = match self.0.store.account_by_username(&key).await? {
                Some(account) => Some(account),
                None => self.0.store.account_by_email(&key).await?,
            };
            let is_match = self.password_fits(account.as_ref(), password).await?;
            match account {
                Some(account) if is_match && account.is_active && account.is_superuser => {
                    Ok(Administrator { user_id: account.id })
                }
                // The right password of somebody who is no administrator is no failed try.
                Some(account) if is_match && account.is_active => Err(Error::Forbidden),
                _ => {
                    self.0.store.count_sign_in_failure(&subject).await?;
                    tracing::warn!(event = "sign_in_failed", "A sign-in as administrator failed.");
                    Err(Error::Unauthorized)
                }
            }
        })
    }

    /// Lets a superuser in who acts through a token with `memories:admin`. The flag is the one of this moment (SCO-04).
    ///
    /// # Errors
    /// [`Error::InsufficientScope`], [`Error::Forbidden`].
    pub fn administrator(&self, caller: &Caller) -> Result<Administrator, Error> {
        caller.require(Scope::Admin)?;
        if caller.is_superuser { Ok(Administrator { user_id: caller.user_id }) } else { Err(Error::Forbidden) }
    }

    async fn password_fits(&self, account: Option<&Account>, password: SecretString) -> Result<bool, Error> {
        let stored = account.and_then(|account| account.password_hash.as_deref());
        let busy = |error| Error::unavailable("Signing in", error);
        let verdict = self.0.passwords.verify(password.clone(), stored).await.map_err(busy)?;
        if let (Verdict::MatchNeedsRehash, Some(account), Some(old)) = (verdict, account, stored) {
            let new = self.0.passwords.hash(password).await.map_err(busy)?;
            self.0.store.replace_password_hash(account.id, old, &new).await?;
        }
        Ok(verdict != Verdict::NoMatch)
    }

    /// Registers an OAuth client.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every member that is wrong.
    pub fn register_client<'a>(
        &'a self,
        administrator: Administrator,
        command: RegisterClient,
    ) -> BoxFuture<'a, Result<RegisteredClient, Error>> {
        Box::pin(async move {
            let checked =
                check_registration(&command.client_name, command.redirect_uris, &command.scopes, command.is_confidential)
                    .map_err(Error::Invalid)?;
            let secret = checked.is_confidential.then(random_token);
            let client = Client {
                id: ClientId::generate(),
                name: checked.name,
                redirect_uris: checked.redirect_uris,
                scopes: checked.scopes,
                secret_hash: secret.as_ref().map(|secret| hash_token(secret.expose_secret())),
            };
            self.0.store.create_client(&client).await?;
            tracing::info!(
                event = "client_registered", user.id = %administrator.user_id, client.id = %client.id,
                "An administrator registered a client."
            );
            Ok(RegisteredClient {
                client_id: client.id,
                client_secret: secret,
                client_name: client.name,
                redirect_uris: client.redirect_uris,
                scopes: client.scopes,
                is_confidential: client.secret_hash.is_some(),
            })
        })
    }
}
