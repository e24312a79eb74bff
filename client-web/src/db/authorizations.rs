//! Authorizations at the Picard server that somebody has begun and that can be completed once.

use sqlx::PgPool;
use uuid::Uuid;

use super::Result;

/// An authorization that was begun.
#[derive(Debug)]
pub(crate) struct AuthorizationRow {
    pub(crate) person_id: Uuid,
    /// Encrypted.
    pub(crate) verifier: String,
    pub(crate) scope: String,
    pub(crate) issuer: String,
    /// Whether the answer has to name the issuer.
    pub(crate) names_issuer: bool,
}

/// Remembers an authorization for ten minutes.
pub(crate) async fn insert(pool: &PgPool, key_hash: &[u8; 32], row: &AuthorizationRow) -> Result<()> {
    sqlx::query!(
        "INSERT INTO authorizations (key_hash, person_id, verifier, scope, issuer, names_issuer) VALUES ($1, $2, $3, $4, $5, $6)",
        key_hash.as_slice(),
        row.person_id,
        row.verifier,
        row.scope,
        row.issuer,
        row.names_issuer,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes an authorization: whoever comes second finds nothing (WEB-04).
pub(crate) async fn take(pool: &PgPool, key_hash: &[u8; 32], person_id: Uuid) -> Result<Option<AuthorizationRow>> {
    let row = sqlx::query_as!(
        AuthorizationRow,
        "DELETE FROM authorizations WHERE key_hash = $1 AND person_id = $2 AND expires_at > now()
         RETURNING person_id, verifier, scope, issuer, names_issuer",
        key_hash.as_slice(),
        person_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Forgets what nobody has completed.
pub(crate) async fn purge(pool: &PgPool) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM authorizations WHERE expires_at < now()").execute(pool).await?;
    Ok(done.rows_affected())
}
