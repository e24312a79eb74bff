//! OAuth clients.

use picard_domain::{ClientAuthMethod, ClientId, ClientOrigin, Error, Scopes, Timestamp};
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
    /// How it came to be known.
    pub origin: ClientOrigin,
    /// The one way in which it proves who it is; `None`: any way that fits.
    pub auth_method: Option<ClientAuthMethod>,
    /// The address of its metadata document.
    pub metadata_url: Option<String>,
    /// What it gets when it asks for nothing; `None`: the least.
    pub default_scopes: Option<Scopes>,
}

impl Client {
    /// The `client_id` that OAuth messages carry: the metadata document's address, or the id.
    #[must_use]
    pub fn public_id(&self) -> String {
        self.metadata_url.clone().unwrap_or_else(|| self.id.to_string())
    }
}

struct ClientRow {
    id: Uuid,
    name: String,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    secret_hash: Option<Vec<u8>>,
    origin: String,
    auth_method: Option<String>,
    metadata_url: Option<String>,
    default_scopes: Option<Vec<String>>,
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            id: ClientId(row.id),
            name: row.name,
            redirect_uris: row.redirect_uris,
            scopes: Scopes::from_words(&row.scopes),
            secret_hash: row.secret_hash.and_then(|hash| hash.try_into().ok()),
            // The table allows no other words; were there one, the client would get the least trust.
            origin: row.origin.parse().unwrap_or(ClientOrigin::Registration),
            auth_method: row.auth_method.and_then(|word| word.parse().ok()),
            metadata_url: row.metadata_url,
            default_scopes: row.default_scopes.as_deref().map(Scopes::from_words),
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
            "INSERT INTO clients (id, name, redirect_uris, scopes, secret_hash, origin, auth_method, default_scopes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            client.id.0,
            client.name,
            &client.redirect_uris,
            &client.scopes.to_words(),
            client.secret_hash.as_ref().map(<[u8; 32]>::as_slice),
            client.origin.as_str(),
            client.auth_method.map(ClientAuthMethod::as_str),
            client.default_scopes.as_ref().map(Scopes::to_words) as _,
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
        sqlx::query_as!(
            ClientRow,
            "SELECT id, name, redirect_uris, scopes, secret_hash, origin, auth_method, metadata_url, default_scopes FROM clients WHERE id = $1",
            id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Client::from))
        .map_err(storage_error)
    }

    /// Finds the client whose metadata document has this address; also whether the document was read so short a time
    /// ago that it need not be read again.
    ///
    /// # Errors
    /// As every statement.
    pub async fn client_by_metadata_url(&self, url: &str) -> Result<Option<(Client, bool)>, Error> {
        let row = sqlx::query!(
            r#"SELECT id, name, redirect_uris, scopes, secret_hash, origin, auth_method, metadata_url, default_scopes,
                      coalesce(metadata_read_at > now() - interval '10 minutes', false) AS "is_fresh!"
               FROM clients WHERE metadata_url = $1"#,
            url,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(row.map(|row| {
            let client = ClientRow {
                id: row.id,
                name: row.name,
                redirect_uris: row.redirect_uris,
                scopes: row.scopes,
                secret_hash: row.secret_hash,
                origin: row.origin,
                auth_method: row.auth_method,
                metadata_url: row.metadata_url,
                default_scopes: row.default_scopes,
            };
            (Client::from(client), row.is_fresh)
        }))
    }

    /// Stores what a client's metadata document says; the client keeps its id.
    ///
    /// # Errors
    /// As every statement.
    pub async fn put_metadata_client(
        &self,
        url: &str,
        name: &str,
        redirect_uris: &[String],
        scopes: &Scopes,
    ) -> Result<Client, Error> {
        sqlx::query_as!(
            ClientRow,
            "INSERT INTO clients (id, name, redirect_uris, scopes, origin, auth_method, metadata_url, metadata_read_at)
             VALUES ($1, $2, $3, $4, 'metadata_document', 'none', $5, now())
             ON CONFLICT (metadata_url) DO UPDATE SET name = excluded.name, redirect_uris = excluded.redirect_uris,
                 scopes = excluded.scopes, metadata_read_at = excluded.metadata_read_at
             RETURNING id, name, redirect_uris, scopes, secret_hash, origin, auth_method, metadata_url, default_scopes",
            ClientId::generate().0,
            name,
            redirect_uris,
            &scopes.to_words(),
            url,
        )
        .fetch_one(&self.pool)
        .await
        .map(Client::from)
        .map_err(storage_error)
    }

    /// A page of all clients, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn clients(&self, after: Option<(Timestamp, Uuid)>, limit: u32) -> Result<Vec<(Client, Timestamp)>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        let rows = sqlx::query!(
            "SELECT id, name, redirect_uris, scopes, secret_hash, origin, auth_method, metadata_url, default_scopes, created_at FROM clients
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
                origin: row.origin,
                auth_method: row.auth_method,
                metadata_url: row.metadata_url,
                default_scopes: row.default_scopes,
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
            "UPDATE clients SET name = $2, redirect_uris = $3, scopes = $4, secret_hash = $5, auth_method = $6 WHERE id = $1",
            client.id.0,
            client.name,
            &client.redirect_uris,
            &client.scopes.to_words(),
            client.secret_hash.as_ref().map(<[u8; 32]>::as_slice),
            client.auth_method.map(ClientAuthMethod::as_str),
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
