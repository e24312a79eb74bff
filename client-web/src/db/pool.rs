//! The way to the database: a pool with limits, and a start that waits for a database that is not there yet.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use picard_crypto::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::Instant;

use super::DatabaseError;

/// How long a start waits for the database (FLT-03).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long one try to reach it may take.
const ONE_TRY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long a connection may take to answer that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// The application's database and how it is reached; printed without its password.
#[derive(Clone)]
pub(crate) struct Place(PgConnectOptions);

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.0.get_database().unwrap_or_else(|| self.0.get_username());
        write!(formatter, "{}:{}, database {database}", self.0.get_host(), self.0.get_port())
    }
}

impl Place {
    /// Reads a `postgres://` URL.
    pub(crate) fn parse(url: &SecretString) -> Result<Self, DatabaseError> {
        let options = PgConnectOptions::from_str(url.expose_secret())?;
        Ok(Self(options.application_name("picard-web").disable_statement_logging()))
    }

    /// Waits until the database answers. What waiting does not mend, such as a wrong password, ends it at once.
    pub(crate) async fn reached(&self, patience: Duration) -> Result<(), DatabaseError> {
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let tried = tokio::time::timeout(ONE_TRY, PgConnection::connect_with(&self.0)).await;
            let error = match tried.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) => DatabaseError::from(error),
            };
            if !error.is_unavailable() || Instant::now() + pause >= until {
                return Err(error);
            }
            tracing::warn!(database = %self, "the database does not answer yet; it is tried again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Brings the database to the current version. A migration may take longer than any other statement.
    pub(crate) async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ONE_TRY).connect_with(self.0.clone()).await?;
        let migrated = super::MIGRATOR.run(&pool).await;
        pool.close().await;
        migrated
    }

    /// A pool that connects when it is first used. Its statements have limits, so that one that hangs is over soon (OPS-08).
    pub(crate) fn pool(&self) -> PgPool {
        let options = self.0.clone().options([
            ("statement_timeout", "10s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("client_connection_check_interval", "500ms"),
        ]);
        PgPoolOptions::new()
            .max_connections(12)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(Duration::from_secs(300))
            .test_before_acquire(false)
            // Asking a connection that was used a moment ago whether it is alive costs a round trip for nothing.
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > Duration::from_secs(1) { is_alive(connection).await } else { Ok(true) }
                })
            })
            // Whoever was waiting for an answer may have left: then it is not known when one will come.
            .after_release(|connection, _| Box::pin(is_alive(connection)))
            .connect_lazy_with(options)
    }
}

/// Whether a connection answers soon. One whose bytes nobody takes never says so (FLT-06).
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_is_away_is_waited_for_and_named_without_its_password_flt_03() {
        let url = SecretString::from("postgres://somebody:hunter22@127.0.0.1:1/memories");
        let place = Place::parse(&url).expect("a place");
        let started = Instant::now();

        let error = place.reached(Duration::from_secs(1)).await.expect_err("nobody listens there");

        assert!(error.is_unavailable() && started.elapsed() >= Duration::from_millis(500), "{error:?}");
        assert_eq!(place.to_string(), "127.0.0.1:1, database memories", "FLT-03");
    }
}
