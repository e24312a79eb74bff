//! OAuth clients.

use picard_domain::{ClientId, Error, Scopes};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client.
    pub id: ClientId,
    /// Its name, as people see it.
    pub name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most.
    pub scopes: Scopes,
    /// SHA-256 of its secret; `None`: a public client.
    pub secret_hash: Option<[u8; 32]>,
}

struct ClientRow {
    id: Uuid,
    name: String,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    secret_hash: Option<Vec<u8>>,
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            id: ClientId(row.id),
            name: row.name,
            redirect_uris: row.redirect_uris,
            scopes: Scopes::from_words(&row.scopes),
            secret_hash: row.secret_hash.and_then(|hash| hash.try_into().ok()),
        }
    }
}

impl Store {
    /// Stores a new client.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_client(&self, client: &Client) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO clients (id, name, redirect_uris, scopes, secret_hash) VALUES ($1, $2, $3, $4, $5)",
            client.id.0,
            client.name,
            &client.redirect_uris,
            &client.scopes.to_words(),
            client.secret_hash.as_ref().map(<[u8; 32]>::as_slice),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Finds a client.
    ///
    /// # Errors
    /// As every statement.
    pub async fn client(&self, id: ClientId) -> Result<Option<Client>, Error> {
        sqlx::query_as!(ClientRow, "SELECT id, name, redirect_uris, scopes, secret_hash FROM clients WHERE id = $1", id.0)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.map(Client::from))
            .map_err(storage_error)
    }
}
