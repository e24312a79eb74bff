//! Sessions of MCP clients, which every server goes on with. A session is only ever looked up by the hash of its id.

use picard_domain::{Error, UserId};
use serde_json::Value;

use crate::Store;
use crate::error::storage_error;

/// The channel of what servers tell each other of sessions.
pub(crate) const CHANNEL: &str = "picard_mcp_sessions";

/// The most sessions that one person has.
const MOST_OF_A_PERSON: i64 = 50;

/// The most subscriptions of one session.
pub const MOST_SUBSCRIPTIONS: i32 = 100;

/// A session that holds.
#[derive(Debug, Clone)]
pub struct McpSession {
    /// Whose it is.
    pub user_id: UserId,
    /// What its client said of itself when it began.
    pub initialize: Value,
}

impl Store {
    /// Stores a new session. Of too many of one person the longest unused ones end.
    ///
    /// # Errors
    /// As every statement.
    pub async fn begin_mcp_session(&self, id_hash: &[u8; 32], user_id: UserId, initialize: &Value) -> Result<(), Error> {
        sqlx::query!(
            "WITH displaced AS (
                 DELETE FROM mcp_sessions WHERE id_hash IN (
                     SELECT id_hash FROM mcp_sessions WHERE user_id = $2 ORDER BY last_used_at DESC, id_hash OFFSET $4::bigint - 1)
             )
             INSERT INTO mcp_sessions (id_hash, user_id, initialize) VALUES ($1, $2, $3)",
            id_hash.as_slice(),
            user_id.0,
            initialize,
            MOST_OF_A_PERSON,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// A session, whoever's it is; `None` when there is none. Its owner's asking for it is a use: nobody else's is.
    ///
    /// # Errors
    /// As every statement.
    pub async fn mcp_session(&self, id_hash: &[u8; 32], asker: UserId) -> Result<Option<McpSession>, Error> {
        // Written at most once a minute: most requests only read.
        let row = sqlx::query!(
            "WITH used AS (
                 UPDATE mcp_sessions SET last_used_at = now()
                 WHERE id_hash = $1 AND user_id = $2 AND last_used_at < now() - interval '1 minute'
                     AND last_used_at > now() - interval '1 day'
             )
             SELECT user_id, initialize FROM mcp_sessions WHERE id_hash = $1 AND last_used_at > now() - interval '1 day'",
            id_hash.as_slice(),
            asker.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(row.map(|row| McpSession { user_id: UserId(row.user_id), initialize: row.initialize }))
    }

    /// Ends somebody's session and tells every server `news`; whether there was one.
    ///
    /// # Errors
    /// As every statement.
    pub async fn end_mcp_session(&self, id_hash: &[u8; 32], user_id: UserId, news: &str) -> Result<bool, Error> {
        let ended = sqlx::query!(
            "WITH ended AS (DELETE FROM mcp_sessions WHERE id_hash = $1 AND user_id = $2 RETURNING 1)
             SELECT pg_notify($3, $4) FROM ended",
            id_hash.as_slice(),
            user_id.0,
            CHANNEL,
            news,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(ended.is_some())
    }

    /// Adds a resource to what somebody's session subscribes to and tells every server `news`.
    ///
    /// # Errors
    /// [`Error::Conflict`] with [`MOST_SUBSCRIPTIONS`] others; as every statement.
    pub async fn add_mcp_subscription(&self, id_hash: &[u8; 32], user_id: UserId, uri: &str, news: &str) -> Result<(), Error> {
        let added = sqlx::query!(
            "WITH changed AS (
                 UPDATE mcp_sessions SET subscriptions = array_append(array_remove(subscriptions, $3), $3)
                 WHERE id_hash = $1 AND user_id = $2 AND cardinality(array_remove(subscriptions, $3)) < $4
                 RETURNING 1
             )
             SELECT pg_notify($5, $6) FROM changed",
            id_hash.as_slice(),
            user_id.0,
            uri,
            MOST_SUBSCRIPTIONS,
            CHANNEL,
            news,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        added.map(|_| ()).ok_or_else(|| {
            Error::Conflict(format!("A session has at most {MOST_SUBSCRIPTIONS} subscriptions: unsubscribe from one first."))
        })
    }

    /// Removes a resource from what somebody's session subscribes to and tells every server `news`.
    ///
    /// # Errors
    /// As every statement.
    pub async fn remove_mcp_subscription(&self, id_hash: &[u8; 32], user_id: UserId, uri: &str, news: &str) -> Result<(), Error> {
        sqlx::query!(
            "WITH changed AS (
                 UPDATE mcp_sessions SET subscriptions = array_remove(subscriptions, $3)
                 WHERE id_hash = $1 AND user_id = $2 AND $3 = ANY (subscriptions) RETURNING 1
             )
             SELECT pg_notify($4, $5) FROM changed",
            id_hash.as_slice(),
            user_id.0,
            uri,
            CHANNEL,
            news,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// The URIs that somebody's session subscribes to; `None` when there is no such session.
    ///
    /// # Errors
    /// As every statement.
    pub async fn mcp_subscriptions(&self, id_hash: &[u8; 32], user_id: UserId) -> Result<Option<Vec<String>>, Error> {
        sqlx::query_scalar!(
            "SELECT subscriptions FROM mcp_sessions WHERE id_hash = $1 AND user_id = $2",
            id_hash.as_slice(),
            user_id.0
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// Tells every server something of a session. PostgreSQL takes less than 8,000 bytes.
    ///
    /// # Errors
    /// As every statement.
    pub async fn tell_of_mcp_session(&self, news: &str) -> Result<(), Error> {
        sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, news).execute(&self.pool).await.map(|_| ()).map_err(storage_error)
    }
}
