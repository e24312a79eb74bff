//! What an operator asks of a database before anything is started. These are facts; what is wrong is judged elsewhere.
//! Nothing here writes.

use std::collections::BTreeMap;
use std::fmt;

use picard_domain::{Clock, Error};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use time::{Duration, OffsetDateTime};

use crate::error::storage_error;
use crate::store::{DatabaseSettings, MIGRATOR, Store, connect_options};

/// What the database says of itself.
#[derive(Debug, Clone)]
pub struct DatabaseFacts {
    /// As PostgreSQL counts versions: 170004 is 17.4.
    pub version: i32,
    /// Whether it is a copy that only reads.
    pub is_standby: bool,
    /// Whether the role may do everything on that server.
    pub is_superuser: bool,
    /// pgvector's version in this database.
    pub vector_installed: Option<String>,
    /// pgvector's version that could be added to it.
    pub vector_available: Option<String>,
    /// How many connections this role may open, all its programs together.
    pub connections_allowed: i32,
    /// How many connections are open on that server, whoever's they are.
    pub connections_used: i64,
    /// Settings that are off and without which what was acknowledged can be lost in a crash.
    pub careless_settings: Vec<String>,
    /// By how many milliseconds the database's clock is ahead of this machine's.
    pub clock_ahead: i64,
    /// How its schema compares with this program's.
    pub schema: SchemaState,
}

/// How a database's schema compares with the one that this program brings, by the versions of migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Still to be applied.
    pub pending: Vec<i64>,
    /// Applied by a newer program.
    pub unknown: Vec<i64>,
    /// Applied, but not as this program has them.
    pub changed: Vec<i64>,
    /// Begun and not finished.
    pub failed: Vec<i64>,
    /// Whether people's keys can be looked at.
    pub has_keys: bool,
}

/// Where a database is, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseAddress {
    host: String,
    port: u16,
    database: String,
    /// Whether it is on this machine.
    pub is_local: bool,
    /// Whether a connection that is not encrypted is refused.
    pub is_encrypted: bool,
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.database)
    }
}

impl DatabaseSettings {
    /// Where the database is.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is none.
    pub fn address(&self) -> Result<DatabaseAddress, Error> {
        let options = connect_options(self)?;
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(DatabaseAddress {
            port: options.get_port(),
            database: options.get_database().unwrap_or(options.get_username()).to_owned(),
            is_local: is_loopback || options.get_socket().is_some(),
            is_encrypted: matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull),
            host,
        })
    }

    /// Makes a connection, and ends it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none to be had, [`Error::Invalid`] when the URL is none.
    pub async fn reach(&self) -> Result<(), Error> {
        let connection = connect_options(self)?.connect().await.map_err(storage_error)?;
        // What closing says does not matter.
        let _ = connection.close().await;
        Ok(())
    }

    /// Asks the database about itself, over a connection of its own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not answer, [`Error::Invalid`] when the URL is none.
    pub async fn inspect(&self, clock: &Clock) -> Result<DatabaseFacts, Error> {
        let options: PgConnectOptions = connect_options(self)?.options([("statement_timeout", "10s")]);
        let mut connection = options.connect().await.map_err(storage_error)?;
        let facts = facts(&mut connection, clock).await;
        // What closing says does not matter: everything is asked.
        let _ = connection.close().await;
        facts
    }
}

async fn facts(connection: &mut PgConnection, clock: &Clock) -> Result<DatabaseFacts, Error> {
    let row = sqlx::query!(
        r#"SELECT current_setting('server_version_num')::integer AS "version!", pg_is_in_recovery() AS "is_standby!",
                  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "is_superuser!",
                  (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS "vector_installed?",
                  (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS "vector_available?",
                  least(current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
                            - coalesce(current_setting('reserved_connections', true), '0')::integer,
                        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
                        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
                  ) AS "connections_allowed!",
                  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
                      AS "connections_used!""#,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(storage_error)?;
    let careless_settings = sqlx::query_scalar!(
        r#"SELECT name AS "name!" FROM pg_settings
           WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name"#,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(storage_error)?;
    Ok(DatabaseFacts {
        version: row.version,
        is_standby: row.is_standby,
        is_superuser: row.is_superuser,
        vector_installed: row.vector_installed,
        vector_available: row.vector_available,
        connections_allowed: row.connections_allowed,
        connections_used: row.connections_used,
        careless_settings,
        clock_ahead: clock_ahead(connection, clock).await?,
        schema: schema(connection).await?,
    })
}

/// Asked twice: the first time the statement is prepared, which takes a round trip more.
async fn clock_ahead(connection: &mut PgConnection, clock: &Clock) -> Result<i64, Error> {
    let mut ahead = 0;
    for _ in 0..2 {
        let before = clock.now().as_offset_date_time();
        let there: OffsetDateTime = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
            .fetch_one(&mut *connection)
            .await
            .map_err(storage_error)?;
        let halfway: Duration = (clock.now().as_offset_date_time() - before) / 2;
        let apart: Duration = there - before - halfway;
        ahead = i64::try_from(apart.whole_milliseconds()).unwrap_or(i64::MAX);
    }
    Ok(ahead)
}

async fn schema(connection: &mut PgConnection) -> Result<SchemaState, Error> {
    let row = sqlx::query!(
        r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "has_migrations!",
                  to_regclass('deployment_keys') IS NOT NULL AS "has_keys!""#,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(storage_error)?;
    let mut ours: BTreeMap<i64, &[u8]> = MIGRATOR.iter().map(|migration| (migration.version, &*migration.checksum)).collect();
    let mut state = SchemaState { has_keys: row.has_keys, ..SchemaState::default() };
    if row.has_migrations {
        let applied = sqlx::query!("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(storage_error)?;
        for migration in applied {
            match ours.remove(&migration.version) {
                _ if !migration.success => state.failed.push(migration.version),
                None => state.unknown.push(migration.version),
                Some(checksum) if checksum != migration.checksum.as_slice() => state.changed.push(migration.version),
                Some(_) => {}
            }
        }
    }
    state.pending = ours.into_keys().collect();
    Ok(state)
}

impl Store {
    /// The deployment's own keys that no key of the ring opens, in words.
    ///
    /// # Errors
    /// As every statement.
    pub async fn unopened_deployment_keys(&self) -> Result<Vec<String>, Error> {
        let rows = sqlx::query!(
            r#"SELECT 'the signing key ' || kid AS "name!", private_key AS "wrapped!" FROM signing_keys
               WHERE verifies_until IS NULL OR verifies_until > now()
               UNION ALL SELECT 'the key of ' || name, wrapped_key FROM deployment_keys"#,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(rows.into_iter().filter(|row| self.keys.opener(&row.wrapped).is_none()).map(|row| row.name).collect())
    }
}
