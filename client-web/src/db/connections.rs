//! Connections to the Picard server: the encrypted tokens and the lease under which one replica refreshes them.
//!
//! All times are the database's, so that the clocks of the replicas do not matter.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, revocations, server_accounts};

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

/// Why a connection is of no use any more until the person connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The person ended at the server what they had allowed there.
    Ended,
    /// The account is not there any more.
    AccountGone,
    /// The account may not be used.
    Denied,
    /// The account of this name is another one now, or another person's.
    OtherAccount,
}

impl Death {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::AccountGone => "account_gone",
            Self::Denied => "denied",
            Self::OtherAccount => "other_account",
        }
    }

    /// Reads what `as_str` wrote.
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "account_gone" => Self::AccountGone,
            "denied" => Self::Denied,
            "other_account" => Self::OtherAccount,
            _ => Self::Ended,
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
    pub(crate) dead_reason: Option<String>,
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
                  now() AS "seen_at!", refresh_failed_at, dead_reason
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

/// A connection that was just made.
#[derive(Debug)]
pub(crate) struct NewConnection<'a> {
    pub(crate) person_id: Uuid,
    pub(crate) server_user_id: Uuid,
    pub(crate) tokens: &'a SealedTokens,
    pub(crate) flow: Flow,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Done,
    /// The account is another person's here, or was.
    SomebodyElses,
    /// The person is connected with another account, which has to be given up first.
    ConnectedElsewhere,
}

/// Stores a new connection; the refresh token of the one it replaces is queued for revocation. If it cannot be stored
/// it is its own refresh token that is queued.
pub(crate) async fn store(pool: &PgPool, new: &NewConnection<'_>) -> Result<Stored> {
    let mut transaction = pool.begin().await?;
    let old = sqlx::query!(
        "SELECT server_user_id, refresh_token, dead_reason FROM connections WHERE person_id = $1 FOR UPDATE",
        new.person_id,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let is_in_use = |old: &str| old != Death::AccountGone.as_str();
    let is_elsewhere = old
        .as_ref()
        .is_some_and(|old| old.server_user_id != new.server_user_id && old.dead_reason.as_deref().is_none_or(is_in_use));
    let stored = if is_elsewhere {
        Stored::ConnectedElsewhere
    } else if !is_theirs(&mut transaction, new).await? {
        Stored::SomebodyElses
    } else {
        Stored::Done
    };
    let given_up = if stored == Stored::Done { old.map(|old| old.refresh_token) } else { Some(new.tokens.refresh_token.clone()) };
    if let Some(token) = given_up {
        revocations::insert(&mut *transaction, new.person_id, &token).await?;
    }
    if stored == Stored::Done {
        replace(&mut transaction, new).await?;
    }
    transaction.commit().await?;
    Ok(stored)
}

/// Only whoever has signed in at the server proves that an account is theirs; the others take what is nobody's.
async fn is_theirs(transaction: &mut PgConnection, new: &NewConnection<'_>) -> Result<bool> {
    match new.flow {
        Flow::UserToken => server_accounts::claim(transaction, new.server_user_id, new.person_id).await,
        Flow::AuthorizationCode => {
            server_accounts::prove(transaction, new.server_user_id, new.person_id).await?;
            Ok(true)
        }
    }
}

async fn replace(transaction: &mut PgConnection, new: &NewConnection<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO connections
             (person_id, server_user_id, scope, access_token, refresh_token, access_expires_at, flow)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7)
         ON CONFLICT (person_id) DO UPDATE SET
             server_user_id = excluded.server_user_id, scope = excluded.scope,
             access_token = excluded.access_token, refresh_token = excluded.refresh_token,
             access_expires_at = excluded.access_expires_at, generation = connections.generation + 1,
             lease_id = NULL, lease_until = NULL, refresh_failed_at = NULL, dead_since = NULL, dead_reason = NULL,
             flow = excluded.flow, connected_at = now(), refreshed_at = now()",
        new.person_id,
        new.server_user_id,
        new.tokens.scope,
        new.tokens.access_token,
        new.tokens.refresh_token,
        new.tokens.seconds_to_live,
        new.flow.as_str(),
    )
    .execute(transaction)
    .await?;
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

/// Takes the right to refresh a generation of tokens, for a while; `None` when somebody else has it or
/// the generation is over. The time is longer than the three calls that may be made under it.
pub(crate) async fn take_lease(pool: &PgPool, person_id: Uuid, generation: i64, lease_id: Uuid) -> Result<Option<Leased>> {
    let row = sqlx::query_as!(
        Leased,
        "UPDATE connections SET lease_id = $3, lease_until = now() + interval '40 seconds'
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

/// Ends the lease after a failure; those who wait for it see the time, or that all is over, and give up instead of
/// trying again.
pub(crate) async fn fail_refresh(pool: &PgPool, person_id: Uuid, lease_id: Uuid, death: Option<Death>) -> Result<()> {
    sqlx::query!(
        "UPDATE connections SET lease_id = NULL, lease_until = NULL, refresh_failed_at = now(),
             dead_since = CASE WHEN $3::text IS NULL THEN NULL ELSE now() END, dead_reason = $3
         WHERE person_id = $1 AND lease_id = $2",
        person_id,
        lease_id,
        death.map(Death::as_str),
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
