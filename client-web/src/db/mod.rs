//! The only SQL of the web application: one module for each table, one function for each statement or transaction.

pub(crate) mod attempts;
pub(crate) mod authorizations;
pub(crate) mod connections;
pub(crate) mod people;
mod pool;
pub(crate) mod revocations;
pub(crate) mod server_accounts;
pub(crate) mod sessions;

use sqlx::PgPool;

pub(crate) use pool::{PATIENCE, Place};

/// The migrations of the application's own database, compiled into the program.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/client-web");

/// A failed statement; says whether the database is away or the statement is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the web application's database refused or did not answer")]
pub(crate) struct DatabaseError(#[from] sqlx::Error);

impl DatabaseError {
    /// Whether waiting may help: the database cannot be reached, is full or is shutting down.
    pub(crate) fn is_unavailable(&self) -> bool {
        match &self.0 {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Classes 08 (connection), 53 (resources) and 57 (operator intervention, limits of time) pass by themselves, as
            // does waiting too long for a lock.
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| ["08", "53", "57", "55P03"].iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }
}

/// The result of everything in this module.
pub(crate) type Result<T> = std::result::Result<T, DatabaseError>;

/// Whether the database answers at all.
pub(crate) async fn ping(pool: &PgPool) -> Result<()> {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(pool).await?;
    Ok(())
}
