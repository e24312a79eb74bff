//! Connections to the Picard server: the encrypted tokens and the lease under which one replica refreshes them.
//!
//! All times are the database's, so that the clocks of the replicas do not matter.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use super::revocations;

/// How a connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// By this application, in the person's name.
    UserToken,
    /// By the person, at the server.
    AuthorizationCode,
}

impl Flow {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UserToken => "user_token",
            Self::AuthorizationCode => "authorization_code",
        }
    }
}

/// A connection as it is needed to call the server.
#[derive(Debug)]
pub(crate) struct ConnectionRow {
    pub(crate) access_token: String,
    pub(crate) generation: i64,
    /// Whether the access token lives for another minute at least.
    pub(crate) is_fresh: bool,
    /// The database's time when the row was read.
    pub(crate) seen_at: OffsetDateTime,
    pub(crate) refresh_failed_at: Option<OffsetDateTime>,
}

/// What the connections page shows.
#[derive(Debug)]
pub(crate) struct ConnectionSummary {
    pub(crate) scope: String,
    pub(crate) flow: String,
    pub(crate) connected_at: OffsetDateTime,
    pub(crate) refreshed_at: OffsetDateTime,
}

/// A pair of tokens, encrypted, as it is stored.
#[derive(Debug)]
pub(crate) struct SealedTokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) seconds_to_live: f64,
    pub(crate) scope: String,
}

/// Loads a person's connection.
pub(crate) async fn find(pool: &PgPool, person_id: Uuid) -> Result<Option<ConnectionRow>> {
    let row = sqlx::query_as!(
        ConnectionRow,
        r#"SELECT access_token, generation,
                  access_expires_at > now() + interval '1 minute' AS "is_fresh!",
                  now() AS "seen_at!", refresh_failed_at
           FROM connections WHERE person_id = $1"#,
        person_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Loads what the connections page shows.
pub(crate) async fn summary(pool: &PgPool, person_id: Uuid) -> Result<Option<ConnectionSummary>> {
    let row = sqlx::query_as!(
        ConnectionSummary,
        "SELECT scope, flow, connected_at, refreshed_at FROM connections WHERE person_id = $1",
        person_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Stores a new connection; the refresh token of the one it replaces is queued for revocation.
pub(crate) async fn replace(
    pool: &PgPool,
    person_id: Uuid,
    server_user_id: Uuid,
    tokens: &SealedTokens,
    flow: Flow,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
    let old = sqlx::query_scalar!("SELECT refresh_token FROM connections WHERE person_id = $1 FOR UPDATE", person_id,)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(old) = old {
        revocations::insert(&mut *transaction, person_id, &old).await?;
    }
    sqlx::query!(
        "INSERT INTO connections
             (person_id, server_user_id, scope, access_token, refresh_token, access_expires_at, flow)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7)
         ON CONFLICT (person_id) DO UPDATE SET
             server_user_id = excluded.server_user_id, scope = excluded.scope,
             access_token = excluded.access_token, refresh_token = excluded.refresh_token,
             access_expires_at = excluded.access_expires_at, generation = connections.generation + 1,
             lease_id = NULL, lease_until = NULL, refresh_failed_at = NULL,
             flow = excluded.flow, connected_at = now(), refreshed_at = now()",
        person_id,
        server_user_id,
        tokens.scope,
        tokens.access_token,
        tokens.refresh_token,
        tokens.seconds_to_live,
        flow.as_str(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// What the holder of the lease works with.
#[derive(Debug)]
pub(crate) struct Leased {
    pub(crate) refresh_token: String,
    pub(crate) server_user_id: Uuid,
    /// What the person has allowed.
    pub(crate) scope: String,
    pub(crate) flow: String,
}

/// Takes the right to refresh a generation of tokens, for half a minute; `None` when somebody else has it or
/// the generation is over. The time is longer than the two calls that may be made under it.
pub(crate) async fn take_lease(pool: &PgPool, person_id: Uuid, generation: i64, lease_id: Uuid) -> Result<Option<Leased>> {
    let row = sqlx::query_as!(
        Leased,
        "UPDATE connections SET lease_id = $3, lease_until = now() + interval '30 seconds'
         WHERE person_id = $1 AND generation = $2 AND (lease_until IS NULL OR lease_until <= now())
         RETURNING refresh_token, server_user_id, scope, flow",
        person_id,
        generation,
        lease_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Stores refreshed tokens and ends the lease; `false` when the connection was given up or replaced meanwhile.
pub(crate) async fn finish_refresh(pool: &PgPool, person_id: Uuid, lease_id: Uuid, tokens: &SealedTokens) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE connections SET
             access_token = $3, refresh_token = $4, scope = $5,
             access_expires_at = now() + make_interval(secs => $6), generation = generation + 1,
             lease_id = NULL, lease_until = NULL, refresh_failed_at = NULL, refreshed_at = now()
         WHERE person_id = $1 AND lease_id = $2",
        person_id,
        lease_id,
        tokens.access_token,
        tokens.refresh_token,
        tokens.scope,
        tokens.seconds_to_live,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the lease after a failure; those who wait for it see the time and give up instead of trying again.
pub(crate) async fn fail_refresh(pool: &PgPool, person_id: Uuid, lease_id: Uuid) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET lease_id = NULL, lease_until = NULL, refresh_failed_at = now()
         WHERE person_id = $1 AND lease_id = $2",
        person_id,
        lease_id,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a connection and queues its refresh token for revocation; the revocation's id, or `None` when
/// there was no connection.
pub(crate) async fn remove(pool: &PgPool, person_id: Uuid) -> Result<Option<Uuid>> {
    let mut transaction = pool.begin().await?;
    let token = sqlx::query_scalar!("DELETE FROM connections WHERE person_id = $1 RETURNING refresh_token", person_id,)
        .fetch_optional(&mut *transaction)
        .await?;
    let revocation = match token {
        Some(token) => Some(revocations::insert(&mut *transaction, person_id, &token).await?),
        None => None,
    };
    transaction.commit().await?;
    Ok(revocation)
}
