//! The pool, and what every statement needs besides.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use picard_crypto::{ExposeSecret, KeyRing, KeyedHash, SecretString};
use picard_domain::{Clock, Error};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use crate::error::storage_error;
use crate::known_keys::KnownKeys;
use crate::pool::{Pool, REST};
use crate::replica::Replica;
use crate::search_index::SearchIndexes;

/// The server's schema, version by version.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/server");

/// How long a connection may take to answer that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// A `postgres://` URL.
    pub url: SecretString,
    /// The most connections that this process opens.
    pub max_connections: u32,
}

/// The server's database together with the keys that open it; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: Pool,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) clock: Clock,
    /// Read when it is first needed; it never changes.
    pub(crate) open_words: Arc<OnceLock<Arc<KeyedHash>>>,
    /// Of people who are at work.
    pub(crate) known_keys: Arc<KnownKeys>,
    /// A copy for reads that take long.
    pub(crate) replica: Option<Arc<Replica>>,
    /// What people search who search often.
    pub(crate) indexes: Arc<SearchIndexes>,
}

impl Store {
    /// Uses an existing pool.
    #[must_use]
    pub fn new(pool: PgPool, keys: Arc<KeyRing>, clock: Clock) -> Self {
        Self {
            pool: Pool::new(pool),
            keys,
            clock,
            open_words: Arc::default(),
            known_keys: Arc::default(),
            replica: None,
            indexes: Arc::default(),
        }
    }

    /// Makes a pool that connects when it is first used.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is none.
    pub fn connect(settings: &DatabaseSettings, keys: Arc<KeyRing>, clock: Clock) -> Result<Self, Error> {
        Ok(Self::new(pool(settings, Duration::from_secs(3))?, keys, clock))
    }

    /// Brings the schema up to date. Several processes may do this at once: one works, the others wait.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be reached, [`Error::Internal`] when a migration fails.
    pub async fn migrate(settings: &DatabaseSettings) -> Result<(), Error> {
        let one = PgPoolOptions::new().max_connections(1).connect_with(connect_options(settings)?);
        let pool = one.await.map_err(storage_error)?;
        let outcome = MIGRATOR.run(&pool).await.map_err(Error::internal);
        pool.close().await;
        outcome
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query_scalar!("SELECT 1").fetch_one(&self.pool).await.map_err(storage_error).map(|_| ())
    }

    /// Open connections, and how many of them nobody uses at the moment.
    pub fn pool_connections(&self) -> (usize, usize) {
        self.pool.count()
    }

    /// Waits until every connection has come back and closes them.
    pub async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
        self.pool.close().await;
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }
}

/// A pool that connects when it is first used, and waits so long for a connection.
pub(crate) fn pool(settings: &DatabaseSettings, patience: Duration) -> Result<PgPool, Error> {
    let options = connect_options(settings)?.options([
        ("statement_timeout", "10s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        // A statement whose connection was given up ends, too (FLT-05).
        ("client_connection_check_interval", "500ms"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(patience)
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        // Asking a connection that was used a moment ago whether it is alive costs a round trip for nothing.
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > REST { is_alive(connection).await } else { Ok(true) }
            })
        })
        // Whoever was waiting for an answer may have left: then it is not known when one will come.
        .after_release(|connection, _| Box::pin(is_alive(connection)))
        .connect_lazy_with(options);
    Ok(pool)
}

/// Whether a connection answers soon. One whose bytes nobody takes never says so, and would keep its place in the pool
/// for ever (FLT-06).
pub(crate) async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

pub(crate) fn connect_options(settings: &DatabaseSettings) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(settings.url.expose_secret())
        .map_err(|_| Error::invalid("DATABASE_URL", "must be a postgres:// URL"))?;
    Ok(options.application_name("picard-server").disable_statement_logging())
}
