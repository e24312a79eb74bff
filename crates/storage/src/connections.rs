//! What people gave clients, seen as one connection a client.

use picard_domain::{ClientId, Error, Scopes, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// All that one person gives one client now.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The client.
    pub client_id: ClientId,
    /// Its name, as people see it.
    pub client_name: String,
    /// The address of its metadata document, which is how it names itself.
    pub metadata_url: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// When the oldest of what still holds was given.
    pub created_at: Timestamp,
    /// When the client last got tokens.
    pub last_used_at: Timestamp,
}

struct ConnectionRow {
    client_id: Uuid,
    client_name: String,
    metadata_url: Option<String>,
    scopes: Vec<String>,
    created_at: time::OffsetDateTime,
    last_used_at: time::OffsetDateTime,
}

impl From<ConnectionRow> for Connection {
    fn from(row: ConnectionRow) -> Self {
        Self {
            client_id: ClientId(row.client_id),
            client_name: row.client_name,
            metadata_url: row.metadata_url,
            scopes: Scopes::from_words(&row.scopes),
            created_at: row.created_at.into(),
            last_used_at: row.last_used_at.into(),
        }
    }
}

impl Store {
    /// The clients that a person has given something that still holds, tokens or a consent; the last used one first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn connections(&self, user_id: UserId) -> Result<Vec<Connection>, Error> {
        sqlx::query_as!(
            ConnectionRow,
            r#"WITH given AS (
                   SELECT client_id, scopes, created_at, last_used_at FROM grants
                   WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
                   UNION ALL
                   SELECT client_id, scopes, updated_at, updated_at FROM consents WHERE user_id = $1
               )
               SELECT c.id AS client_id, c.name AS client_name, c.metadata_url, array_agg(DISTINCT s.scope) AS "scopes!",
                      min(g.created_at) AS "created_at!", max(g.last_used_at) AS "last_used_at!"
               FROM given g JOIN clients c ON c.id = g.client_id CROSS JOIN LATERAL unnest(g.scopes) AS s (scope)
               GROUP BY c.id, c.name, c.metadata_url ORDER BY max(g.last_used_at) DESC, c.id"#,
            user_id.0,
        )
        .fetch_all(&self.pool)
        .await
        .map(|rows| rows.into_iter().map(Connection::from).collect())
        .map_err(storage_error)
    }

    /// Ends every grant of the person, of the client, or of both together, with the codes that are under way and the
    /// consents, and says how many grants or consents still held. With neither it ends nothing.
    ///
    /// # Errors
    /// As every statement.
    pub async fn revoke_grants(&self, user_id: Option<UserId>, client_id: Option<ClientId>) -> Result<u64, Error> {
        let ended = sqlx::query_scalar!(
            r#"WITH ended AS (
                   UPDATE grants SET revoked_at = now()
                   WHERE revoked_at IS NULL AND expires_at > now() AND ($1::uuid IS NOT NULL OR $2::uuid IS NOT NULL)
                     AND ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR client_id = $2) RETURNING user_id, client_id
               ), codes AS (
                   DELETE FROM authorization_codes
                   WHERE grant_id IS NULL AND ($1::uuid IS NOT NULL OR $2::uuid IS NOT NULL)
                     AND ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR client_id = $2)
               ), forgotten AS (
                   DELETE FROM consents
                   WHERE ($1::uuid IS NOT NULL OR $2::uuid IS NOT NULL)
                     AND ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR client_id = $2) RETURNING user_id, client_id
               )
               SELECT (SELECT count(*) FROM ended) + (
                   SELECT count(*) FROM forgotten f WHERE NOT EXISTS (
                       SELECT 1 FROM ended e WHERE e.user_id = f.user_id AND e.client_id = f.client_id)) AS "count!""#,
            user_id.map(|id| id.0) as _,
            client_id.map(|id| id.0) as _,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(ended.try_into().unwrap_or_default())
    }
}
