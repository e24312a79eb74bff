//! What administrators do, and how they prove that they are administrators.

use futures_util::future::BoxFuture;
use picard_auth::client::check_registration;
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};
use picard_domain::{Caller, ClientId, ClientOrigin, Error, Scope, Scopes, UserId};
use picard_storage::audit::NewAuditEvent;
use picard_storage::clients::Client;

use crate::App;

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
    /// Lets an administrator in by name or e-mail address and password, under the rules of every sign-in.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], [`Error::RateLimited`], [`Error::Unavailable`] when too many passwords are being hashed;
    /// [`Error::Forbidden`] for the right password of somebody who is no administrator.
    pub fn authenticate_administrator<'a>(
        &'a self,
        name: &'a str,
        password: SecretString,
        address: &'a str,
    ) -> BoxFuture<'a, Result<Administrator, Error>> {
        Box::pin(async move {
            let account = self.authenticate_person(name, password, address).await?;
            if account.is_superuser { Ok(Administrator { user_id: account.id }) } else { Err(Error::Forbidden) }
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
                origin: ClientOrigin::Administrator,
                auth_method: None,
                metadata_url: None,
                default_scopes: None,
            };
            self.0.store.create_client(&client).await?;
            self.record_of_client("client_registered", administrator, client.id).await?;
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

    /// Keeps what an administrator did to a client.
    pub(crate) async fn record_of_client(
        &self,
        event: &'static str,
        administrator: Administrator,
        client_id: ClientId,
    ) -> Result<(), Error> {
        let (user_id, client_id) = (Some(administrator.user_id), Some(client_id));
        self.record(NewAuditEvent { event, user_id, client_id, ..Default::default() }).await
    }
}
