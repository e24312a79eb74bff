//! What a backup needs of the database besides PostgreSQL's own programs: a moment that they and we agree on, what is
//! in it, and an end to everything that a restored database would otherwise let in again.

use std::collections::{BTreeMap, BTreeSet};

use picard_crypto::KeyRing;
use picard_domain::Error;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

use crate::error::storage_error;
use crate::store::{DatabaseSettings, MIGRATOR, connect_options};

/// Tables whose rows are no part of a backup: who is signed in and connected, what was agreed to, and the keys of access
/// tokens. What ended after the backup can so not come back to life with it.
pub const NOT_KEPT: [&str; 11] = [
    "authorization_codes",
    "authorization_requests",
    "consents",
    "grants",
    "mcp_sessions",
    "memory_deletions",
    "rate_limits",
    "refresh_tokens",
    "revoked_access_tokens",
    "sessions",
    "signing_keys",
];

/// The name under which servers connect.
const SERVERS: &str = "picard-server";

/// The newest schema that this program knows.
#[must_use]
pub fn newest_schema() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The database for an operator's work, which may take its time.
#[derive(Debug)]
pub struct Maintenance {
    pool: PgPool,
}

/// One moment of the database. It lasts until this is dropped, and writers are not held up meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    /// The name by which other connections join this moment.
    pub id: String,
}

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The version of the last migration.
    pub schema_version: i64,
    /// The public names of the keys without which texts cannot be read.
    pub key_fingerprints: Vec<String>,
    /// How many rows each table has.
    pub rows: BTreeMap<String, i64>,
}

impl Maintenance {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is none, [`Error::Unavailable`] when nobody answers.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, Error> {
        let options = connect_options(settings)?
            .application_name("picard-maintenance")
            .options([("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.map_err(storage_error)?;
        Ok(Self { pool })
    }

    /// Holds this moment.
    ///
    /// # Errors
    /// As every statement.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut transaction =
            self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.map_err(storage_error)?;
        let id = sqlx::query_scalar!(r#"SELECT pg_export_snapshot() AS "id!""#)
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
        Ok(Snapshot { transaction, id })
    }

    /// How many rows each table has, without those of [`NOT_KEPT`]; empty for a database without tables.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rows(&self) -> Result<BTreeMap<String, i64>, Error> {
        let mut connection = self.pool.acquire().await.map_err(storage_error)?;
        count_rows(&mut connection).await
    }

    /// How many connections servers have to this database.
    ///
    /// # Errors
    /// As every statement.
    pub async fn servers(&self) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"#,
            SERVERS,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// Ends all sessions and all connections of clients, and takes the keys of access tokens away: nothing that was
    /// given before lets anybody in. The next server to start makes a new key, so no server may run meanwhile. People
    /// connect their clients anew.
    ///
    /// # Errors
    /// As every statement.
    pub async fn end_all_connections(&self) -> Result<(), Error> {
        sqlx::query!(
            "WITH codes AS (DELETE FROM authorization_codes),
                  signed_in AS (DELETE FROM sessions),
                  clients AS (DELETE FROM mcp_sessions),
                  agreed AS (DELETE FROM consents),
                  keys AS (DELETE FROM signing_keys)
             UPDATE grants SET revoked_at = now() WHERE revoked_at IS NULL",
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Closes the connections.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

impl Snapshot {
    /// What is in this moment.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no key of the ring opens one of the wrapped keys: nobody could say then what the backup
    /// needs; as every statement.
    pub async fn contents(&mut self, keys: &KeyRing) -> Result<Contents, Error> {
        let connection = &mut *self.transaction;
        let schema_version =
            sqlx::query_scalar!(r#"SELECT coalesce(max(version), 0) AS "version!" FROM _sqlx_migrations WHERE success"#)
                .fetch_one(&mut *connection)
                .await
                .map_err(storage_error)?;
        let people = sqlx::query_scalar!(
            r#"SELECT DISTINCT key_fingerprint AS "fingerprint!" FROM users WHERE key_fingerprint IS NOT NULL"#,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(storage_error)?;
        // Of keys that were wrapped before names were kept, and of the deployment's own, the ring knows the name.
        let unnamed = sqlx::query_scalar!(
            r#"SELECT wrapped_key AS "wrapped!" FROM deployment_keys
               UNION ALL SELECT data_key FROM users WHERE key_fingerprint IS NULL"#,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(storage_error)?;
        let mut fingerprints: BTreeSet<String> = people.into_iter().collect();
        for wrapped in unnamed {
            let opener = keys.opener(&wrapped);
            fingerprints.insert(opener.ok_or_else(|| Error::invalid("ENCRYPTION_KEYS", "must open the database's keys"))?);
        }
        let rows = count_rows(connection).await?;
        Ok(Contents { schema_version, key_fingerprints: fingerprints.into_iter().collect(), rows })
    }
}

async fn count_rows(connection: &mut PgConnection) -> Result<BTreeMap<String, i64>, Error> {
    let not_kept: Vec<String> = NOT_KEPT.iter().map(ToString::to_string).collect();
    let tables = sqlx::query!(
        r#"SELECT c.relname::text AS "name!", format('SELECT count(*) FROM %I.%I', n.nspname, c.relname) AS "statement!"
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname = current_schema() AND c.relname::text <> ALL ($1) ORDER BY 1"#,
        &not_kept,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(storage_error)?;
    let mut rows = BTreeMap::new();
    for table in tables {
        // A table cannot be a parameter; the database itself has quoted its name.
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(table.statement)).fetch_one(&mut *connection);
        rows.insert(table.name, count.await.map_err(storage_error)?);
    }
    Ok(rows)
}
