//! Tries within a while, counted in PostgreSQL so that a limit holds over all replicas and restarts.

use sqlx::PgPool;

use super::Result;

/// How often something was tried in the current while.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Tries so far, this one included.
    pub(crate) count: i32,
    /// Seconds until the while is over.
    pub(crate) seconds_left: i32,
}

/// Counts one try before it happens, so that parallel tries cannot slip under the limit.
pub(crate) async fn count(pool: &PgPool, key: &[u8; 32], seconds: i32) -> Result<Tally> {
    let tally = sqlx::query_as!(
        Tally,
        r#"INSERT INTO attempts (key, count, started_at) VALUES ($1, 1, now())
           ON CONFLICT (key) DO UPDATE SET
               count = CASE WHEN attempts.started_at <= now() - make_interval(secs => $2) THEN 1
                            ELSE least(attempts.count + 1, 1000000) END,
               started_at = CASE WHEN attempts.started_at <= now() - make_interval(secs => $2) THEN now()
                                 ELSE attempts.started_at END
           RETURNING count,
               greatest(1, ceil(extract(epoch FROM started_at + make_interval(secs => $2) - now())))::int4
                   AS "seconds_left!""#,
        &key[..],
        f64::from(seconds),
    )
    .fetch_one(pool)
    .await?;
    Ok(tally)
}

/// Takes a counted try back, because it succeeded: only failed ones use the allowance up.
pub(crate) async fn take_back(pool: &PgPool, key: &[u8; 32]) -> Result<()> {
    sqlx::query!("UPDATE attempts SET count = count - 1 WHERE key = $1 AND count > 0", &key[..]).execute(pool).await?;
    Ok(())
}

/// Forgets tallies whose time is long over: none counts for longer than ten minutes.
pub(crate) async fn purge(pool: &PgPool) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM attempts WHERE started_at < now() - interval '15 minutes'").execute(pool).await?;
    Ok(done.rows_affected())
}
