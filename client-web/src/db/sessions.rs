//! Sessions, kept under the hash of their id.

use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;

/// A stored session.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub(crate) data: Value,
    pub(crate) expires_at: OffsetDateTime,
}

/// Stores a new session; `false` when the id is in use.
pub(crate) async fn insert(pool: &PgPool, id_hash: &[u8; 32], person_id: Option<Uuid>, row: &SessionRow) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO sessions (id_hash, person_id, data, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        &id_hash[..],
        person_id,
        row.data,
        row.expires_at,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Updates a session that is still there. It never inserts: a request that was under way while the person
/// signed out must not bring the session back.
pub(crate) async fn update(pool: &PgPool, id_hash: &[u8; 32], person_id: Option<Uuid>, row: &SessionRow) -> Result<()> {
    sqlx::query!(
        "UPDATE sessions SET person_id = $2, data = $3, expires_at = $4 WHERE id_hash = $1",
        &id_hash[..],
        person_id,
        row.data,
        row.expires_at,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Loads a session that has not expired.
pub(crate) async fn find(pool: &PgPool, id_hash: &[u8; 32]) -> Result<Option<SessionRow>> {
    let row = sqlx::query_as!(
        SessionRow,
        "SELECT data, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > now()",
        &id_hash[..],
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Ends a session.
pub(crate) async fn delete(pool: &PgPool, id_hash: &[u8; 32]) -> Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE id_hash = $1", &id_hash[..]).execute(pool).await?;
    Ok(())
}

/// Takes passwords of administrators out of sessions in which they are not valid any more.
pub(crate) async fn forget_administrators(pool: &PgPool) -> Result<u64> {
    let done = sqlx::query!(
        "UPDATE sessions SET data = data - 'administrator'
         WHERE data -> 'administrator' IS NOT NULL
           AND (data -> 'administrator' ->> 'until')::bigint <= extract(epoch FROM now())",
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the sessions that have expired.
pub(crate) async fn purge(pool: &PgPool) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM sessions WHERE expires_at <= now()").execute(pool).await?;
    Ok(done.rows_affected())
}
