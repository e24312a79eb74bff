//! People's accounts.

use futures_util::future::BoxFuture;
use picard_crypto::ExposeSecret as _;
use picard_crypto::SecretString;
use picard_domain::{Caller, ClientId, Door, Email, Error, GrantId, Scope, TokenId, UserId, Username};
use picard_storage::accounts::NewAccount;

use crate::App;
use crate::sign_up::check_chosen_password;

/// An administrator to be made.
#[derive(Debug)]
pub struct NewAdministrator {
    /// Their name.
    pub username: String,
    /// Their address.
    pub email: Option<String>,
    /// Their password.
    pub password: SecretString,
}

/// What became of a wish for an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdministratorOutcome {
    /// The account was made.
    Created,
    /// An administrator of this name is there already; nothing was changed (OPS-09).
    AlreadyThere,
}

impl App {
    /// Makes an administrator's account unless there is one of this name. Only the command line can do this.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name, address or password that cannot be; [`Error::Conflict`] when the name or the
    /// address belongs to somebody who is no administrator.
    pub fn create_administrator<'a>(&'a self, new: NewAdministrator) -> BoxFuture<'a, Result<AdministratorOutcome, Error>> {
        Box::pin(async move {
            let username = Username::try_from(new.username).map_err(|error| Error::invalid("username", error.to_string()))?;
            let email = new.email.map(Email::try_from).transpose().map_err(|error| Error::invalid("email", error.to_string()))?;
            if let Some(account) = self.0.store.account_by_username(&username.key()).await? {
                return if account.is_superuser {
                    Ok(AdministratorOutcome::AlreadyThere)
                } else {
                    Err(Error::Conflict(
                        "An account of this name exists and is not an administrator's: choose another name.".to_owned(),
                    ))
                };
            }
            check_chosen_password(new.password.expose_secret(), username.as_str())
                .map_err(|message| Error::invalid("password", message))?;
            let password_hash =
                self.0.passwords.hash(new.password).await.map_err(|error| Error::unavailable("Hashing passwords", error))?;
            let account = NewAccount {
                id: UserId::generate(),
                username,
                email,
                password_hash: Some(password_hash),
                is_superuser: true,
                client_id: None,
            };
            if self.0.store.create_account(&account).await? {
                tracing::info!(event = "administrator_created", user.id = %account.id, "An administrator was created.");
                return Ok(AdministratorOutcome::Created);
            }
            // Two commands at once: the one that lost finds the winner's account.
            match self.0.store.account_by_username(&account.username.key()).await? {
                Some(account) if account.is_superuser => Ok(AdministratorOutcome::AlreadyThere),
                _ => Err(Error::Conflict("The name or the e-mail address belongs to another account.".to_owned())),
            }
        })
    }

    /// The caller that the command line is when it works for a person; `None` when there is no such person.
    ///
    /// # Errors
    /// As every statement.
    pub fn local_caller<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Caller>, Error>> {
        Box::pin(async move {
            let account = self.0.store.account_by_username(&picard_domain::account::folded(name)).await?;
            Ok(account.map(|account| Caller {
                user_id: account.id,
                client_id: ClientId(uuid::Uuid::nil()),
                grant_id: GrantId(uuid::Uuid::nil()),
                token_id: TokenId(uuid::Uuid::nil()),
                expires_at: self.0.clock.now(),
                scopes: [Scope::Read, Scope::Write].into_iter().collect(),
                is_superuser: false,
                door: Door::CommandLine,
            }))
        })
    }
}
