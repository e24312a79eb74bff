//! Sessions of people at the server's own pages. A session is only ever looked up by the hash of its cookie.

use picard_domain::{Error, Timestamp, UserId};

use crate::Store;
use crate::error::storage_error;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The person.
    pub user_id: UserId,
    /// Their name.
    pub username: String,
    /// Whether they administer the deployment now.
    pub is_superuser: bool,
}

impl Store {
    /// Stores a new session.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_session(&self, token_hash: &[u8; 32], user_id: UserId, expires_at: Timestamp) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
            token_hash.as_slice(),
            user_id.0,
            expires_at.as_offset_date_time(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Who is signed in; `None` when the session is unknown, over, or its person may not use their account. A session
    /// that nobody uses for a day is over.
    ///
    /// # Errors
    /// As every statement.
    pub async fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SignedIn>, Error> {
        // Written at most once a minute: most requests only read.
        let row = sqlx::query!(
            "WITH used AS (
                 UPDATE sessions SET last_used_at = now() WHERE token_hash = $1 AND last_used_at < now() - interval '1 minute'
                     AND last_used_at > now() - interval '1 day'
             )
             SELECT u.id, u.username, u.is_superuser FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_used_at > now() - interval '1 day' AND u.is_active",
            token_hash.as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(row.map(|row| SignedIn { user_id: UserId(row.id), username: row.username, is_superuser: row.is_superuser }))
    }

    /// Ends a session with everything that was being asked in it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn end_session(&self, token_hash: &[u8; 32]) -> Result<(), Error> {
        sqlx::query!("DELETE FROM sessions WHERE token_hash = $1", token_hash.as_slice())
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(storage_error)
    }
}
