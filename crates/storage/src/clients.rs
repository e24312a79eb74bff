//! OAuth clients.

use picard_domain::{ClientId, Error, Scopes, Timestamp};
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

    /// A page of all clients, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn clients(&self, after: Option<(Timestamp, Uuid)>, limit: u32) -> Result<Vec<(Client, Timestamp)>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        let rows = sqlx::query!(
            "SELECT id, name, redirect_uris, scopes, secret_hash, created_at FROM clients
             WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
             ORDER BY created_at DESC, id DESC LIMIT $3",
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let listed = rows.into_iter().map(|row| {
            let client = ClientRow {
                id: row.id,
                name: row.name,
                redirect_uris: row.redirect_uris,
                scopes: row.scopes,
                secret_hash: row.secret_hash,
            };
            (Client::from(client), row.created_at.into())
        });
        Ok(listed.collect())
    }

    /// Replaces what a client is, its secret too; `false` when there is no such client.
    ///
    /// # Errors
    /// As every statement.
    pub async fn update_client(&self, client: &Client) -> Result<bool, Error> {
        sqlx::query!(
            "UPDATE clients SET name = $2, redirect_uris = $3, scopes = $4, secret_hash = $5 WHERE id = $1",
            client.id.0,
            client.name,
            &client.redirect_uris,
            &client.scopes.to_words(),
            client.secret_hash.as_ref().map(<[u8; 32]>::as_slice),
        )
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(storage_error)
    }

    /// Gives a confidential client another secret; the old one ends at once. `false` when there is no such client, or a public one.
    ///
    /// # Errors
    /// As every statement.
    pub async fn replace_client_secret(&self, id: ClientId, secret_hash: &[u8; 32]) -> Result<bool, Error> {
        sqlx::query!(
            "UPDATE clients SET secret_hash = $2 WHERE id = $1 AND secret_hash IS NOT NULL",
            id.0,
            secret_hash.as_slice(),
        )
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected() == 1)
        .map_err(storage_error)
    }

    /// Deletes a client with every grant and token of it; `false` when there is no such client.
    ///
    /// # Errors
    /// As every statement.
    pub async fn delete_client(&self, id: ClientId) -> Result<bool, Error> {
        sqlx::query!("DELETE FROM clients WHERE id = $1", id.0)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(storage_error)
    }
}
