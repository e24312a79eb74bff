//! Refresh tokens that were given up here and still have to be revoked at the server.

use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::Result;

/// A revocation that this replica has taken on.
#[derive(Debug)]
pub(crate) struct RevocationRow {
    pub(crate) id: Uuid,
    pub(crate) person_id: Uuid,
    pub(crate) refresh_token: String,
}

/// Queues a token, due at once.
pub(crate) async fn insert(executor: impl PgExecutor<'_>, person_id: Uuid, refresh_token: &str) -> Result<Uuid> {
    let id = Uuid::new_v4();
    sqlx::query!("INSERT INTO revocations (id, person_id, refresh_token) VALUES ($1, $2, $3)", id, person_id, refresh_token,)
        .execute(executor)
        .await?;
    Ok(id)
}

/// Takes on one revocation that is due, the given one if it is asked for. The next attempt is put off before
/// this one is made, doubling up to an hour, so that no two replicas make the same call.
pub(crate) async fn claim(pool: &PgPool, wanted: Option<Uuid>) -> Result<Option<RevocationRow>> {
    let row = sqlx::query_as!(
        RevocationRow,
        "UPDATE revocations SET attempts = attempts + 1,
             next_attempt_at = now() + least(interval '1 hour', interval '30 seconds' * 2 ^ least(attempts, 10))
         WHERE id = (SELECT id FROM revocations
                     WHERE next_attempt_at <= now() AND ($1::uuid IS NULL OR id = $1)
                     ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, person_id, refresh_token",
        wanted,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Forgets a revocation that was made.
pub(crate) async fn delete(pool: &PgPool, id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM revocations WHERE id = $1", id).execute(pool).await?;
    Ok(())
}

/// Gives up on tokens that have died of age by themselves: no refresh token lives longer than 90 days.
pub(crate) async fn purge(pool: &PgPool) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM revocations WHERE created_at < now() - interval '90 days'").execute(pool).await?;
    Ok(done.rows_affected())
}
