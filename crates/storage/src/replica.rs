//! Reads from a copy of the database, and only when they cannot be told from reads of the database itself.
//!
//! Before each read the primary is asked how far its log goes, and the copy whether it has replayed that far. So whatever
//! was acknowledged before the read began is in it, whoever wrote it and at whichever server: a change of permission as
//! much as the reader's own memory. When the copy is behind or away, the primary answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use picard_domain::Error;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use crate::error::storage_error;
use crate::store::{DatabaseSettings, Store, pool};

/// How long a copy that failed is left alone.
const REST: Duration = Duration::from_secs(5);
/// How often a copy that is behind is asked again, and after which pause.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(3);
/// How long a copy may take to say how far it is, and to count. Whoever asks has to have time left to ask the primary (FLT-06).
const LONGEST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_COUNT: Duration = Duration::from_secs(4);

/// A copy that streams from the primary.
pub(crate) struct Replica {
    pool: PgPool,
    rests_until: Mutex<Option<Instant>>,
}

impl Replica {
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    fn rests(&self) -> bool {
        let until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self, cause: &Error) {
        tracing::warn!(cause = ?std::error::Error::source(cause).map(ToString::to_string), "The copy of the database is left alone for a moment.");
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }

    /// A connection to the copy once it has replayed the primary's log up to here; `None` when it is too far behind.
    async fn at(&self, position: i64) -> Result<Option<PoolConnection<Postgres>>, Error> {
        let mut connection = self.pool.acquire().await.map_err(storage_error)?;
        for _ in 0..TRIES {
            // A copy that has become a primary is none any more.
            let is_there = sqlx::query_scalar!(
                r#"SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0) >= $1::bigint AS "is_there!""#,
                position,
            )
            .fetch_one(&mut *connection)
            .await
            .map_err(storage_error)?;
            if is_there {
                return Ok(Some(connection));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }
}

impl Store {
    /// The same store with a copy of the database for reads that take long.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is none.
    pub fn with_replica(self, settings: &DatabaseSettings) -> Result<Self, Error> {
        let pool = pool(settings, Duration::from_millis(500))
            .map_err(|_| Error::invalid("DATABASE_REPLICA_URL", "must be a postgres:// URL"))?;
        Ok(Self { replica: Some(Arc::new(Replica { pool, rests_until: Mutex::new(None) })), ..self })
    }

    /// A connection to the copy that knows everything that was acknowledged until now; `None` when the primary has to
    /// answer.
    pub(crate) async fn current_replica(&self) -> Result<Option<PoolConnection<Postgres>>, Error> {
        let Some(replica) = self.replica.as_ref().filter(|replica| !replica.rests()) else { return Ok(None) };
        // Where the next record will be written, because what is acknowledged need not have been flushed.
        let position = sqlx::query_scalar!(r#"SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS "position!""#)
            .fetch_one(&self.pool)
            .await
            .map_err(storage_error)?;
        self.unless_away(LONGEST_LOOK, replica.at(position)).await.map(Option::flatten)
    }

    /// What the copy counted; `None` when it could not, and the primary has to.
    pub(crate) async fn counted<T>(&self, counting: impl Future<Output = Result<T, Error>>) -> Result<Option<T>, Error> {
        self.unless_away(LONGEST_COUNT, counting).await
    }

    async fn unless_away<T>(&self, limit: Duration, asking: impl Future<Output = Result<T, Error>>) -> Result<Option<T>, Error> {
        let answer = tokio::time::timeout(limit, asking).await;
        match answer.unwrap_or_else(|elapsed| Err(Error::unavailable("The copy of the database", elapsed))) {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ Error::Unavailable { .. }) => {
                if let Some(replica) = &self.replica {
                    replica.rest(&error);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
