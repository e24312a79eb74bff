//! Clients, as administrators manage them.

use futures_util::future::BoxFuture;
use picard_auth::client::check_registration;
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};
use picard_domain::page::ListLimit;
use picard_domain::{ClientAuthMethod, ClientId, Error, Timestamp};
use picard_storage::clients::Client;

use crate::{Administrator, App, RegisterClient, RegisteredClient};

/// A page of clients.
#[derive(Debug)]
pub struct ClientPage {
    /// The clients and when they were registered, the newest first.
    pub clients: Vec<(Client, Timestamp)>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What a cursor of the list of clients is sealed for.
const LIST: &str = "clients";

impl App {
    /// Lists all clients.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor of another list.
    pub fn clients<'a>(
        &'a self,
        administrator: Administrator,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ClientPage, Error>> {
        Box::pin(async move {
            let cursors = &self.0.cursors;
            let after = cursor.map(|cursor| cursors.open_place(administrator.user_id, LIST, cursor)).transpose()?;
            let mut clients = self.0.store.clients(after, limit.get() + 1).await?;
            let is_more = clients.len() > limit.get() as usize;
            clients.truncate(limit.get() as usize);
            let last = clients.last().filter(|_| is_more);
            let next_cursor = last.map(|(client, moment)| cursors.seal_place(administrator.user_id, LIST, *moment, client.id.0));
            Ok(ClientPage { clients, next_cursor })
        })
    }

    /// One client.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn client(&self, _: Administrator, id: ClientId) -> BoxFuture<'_, Result<Client, Error>> {
        Box::pin(async move { self.0.store.client(id).await?.ok_or(Error::NotFound) })
    }

    /// Replaces everything that a client is. One that becomes confidential gets a secret, which is shown this once; one
    /// that becomes public loses it. Scopes that are taken away end with the next refresh.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`].
    pub fn update_client<'a>(
        &'a self,
        administrator: Administrator,
        id: ClientId,
        command: RegisterClient,
    ) -> BoxFuture<'a, Result<RegisteredClient, Error>> {
        Box::pin(async move {
            let known = self.0.store.client(id).await?.ok_or(Error::NotFound)?;
            let checked =
                check_registration(&command.client_name, command.redirect_uris, &command.scopes, command.is_confidential)
                    .map_err(Error::Invalid)?;
            let secret = (checked.is_confidential && known.secret_hash.is_none()).then(random_token);
            let new_hash = secret.as_ref().map(|secret| hash_token(secret.expose_secret()));
            let client = Client {
                id,
                name: checked.name,
                redirect_uris: checked.redirect_uris,
                scopes: checked.scopes,
                secret_hash: if checked.is_confidential { new_hash.or(known.secret_hash) } else { None },
                origin: known.origin,
                // Whatever it had registered for must fit what it is now.
                auth_method: known.auth_method.filter(|method| (*method != ClientAuthMethod::None) == checked.is_confidential),
                metadata_url: known.metadata_url,
                default_scopes: known.default_scopes,
            };
            if !self.0.store.update_client(&client).await? {
                return Err(Error::NotFound);
            }
            self.record_of_client("client_updated", administrator, id).await?;
            tracing::info!(event = "client_updated", user.id = %administrator.user_id, client.id = %id, "An administrator changed a client.");
            Ok(RegisteredClient {
                client_id: id,
                client_secret: secret,
                client_name: client.name,
                redirect_uris: client.redirect_uris,
                scopes: client.scopes,
                is_confidential: client.secret_hash.is_some(),
            })
        })
    }

    /// Gives a client a new secret; the old one ends at once.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] for a public client.
    pub fn replace_client_secret(
        &self,
        administrator: Administrator,
        id: ClientId,
    ) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(async move {
            let secret = random_token();
            if self.0.store.replace_client_secret(id, &hash_token(secret.expose_secret())).await? {
                self.record_of_client("client_secret_replaced", administrator, id).await?;
                tracing::warn!(event = "client_secret_replaced", user.id = %administrator.user_id, client.id = %id, "A client got a new secret.");
                return Ok(secret);
            }
            self.0.store.client(id).await?.ok_or(Error::NotFound)?;
            Err(Error::Conflict("A public client has no secret: make it confidential first.".to_owned()))
        })
    }

    /// Deletes a client with every grant and token of it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn delete_client(&self, administrator: Administrator, id: ClientId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if !self.0.store.delete_client(id).await? {
                return Err(Error::NotFound);
            }
            self.record_of_client("client_deleted", administrator, id).await?;
            tracing::warn!(event = "client_deleted", user.id = %administrator.user_id, client.id = %id, "An administrator deleted a client.");
            Ok(())
        })
    }
}
