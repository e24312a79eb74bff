//! Roles and databases of a cluster of ours: each program gets one role and one database, and nothing of the other's.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::Cluster;
use crate::problem::{DISK_FULL, Problem};

/// A program's database and the role that owns it. Both have the same name.
pub struct Owned<'a> {
    /// The name of both.
    pub name: &'a str,
    /// The role's password.
    pub password: &'a str,
    /// Whether the extension `vector` is put into it, which only the superuser may do.
    pub has_vectors: bool,
}

/// Creates what is missing of a role and its database, and sets the role's password and limits.
/// The names must be plain words and the password base64url: both become part of the SQL.
pub async fn ensure_owned(cluster: &Cluster, owned: &Owned<'_>) -> Result<(), Problem> {
    let url = cluster.url("postgres");
    ensure(cluster, &url, owned).await.map_err(|error| explain(&format!("prepare the database {}", owned.name), &error))
}

/// Explains what PostgreSQL refused; a full disk (53100) gets its remedy.
pub fn explain(doing: &str, error: &sqlx::Error) -> Problem {
    let problem = Problem::from_error(doing, error);
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some("53100") { problem.advice(DISK_FULL) } else { problem }
}

async fn ensure(cluster: &Cluster, url: &str, owned: &Owned<'_>) -> Result<(), sqlx::Error> {
    let (name, password) = (owned.name, owned.password);
    let mut connection = PgConnection::connect(url).await?;
    let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    let verb = if is_there { "ALTER" } else { "CREATE" };
    run(&mut connection, format!("{verb} ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'")).await?;
    // A forgotten transaction or a runaway statement must not hold up everyone else for ever.
    for limit in ["statement_timeout = '60s'", "lock_timeout = '30s'", "idle_in_transaction_session_timeout = '60s'"] {
        run(&mut connection, format!("ALTER ROLE {name} SET {limit}")).await?;
    }
    if !database_exists(&mut connection, name).await? {
        run(&mut connection, format!("CREATE DATABASE {name} OWNER {name}")).await?;
    }
    // Anyone may connect to a new database unless told otherwise, and so to the ones that every cluster has.
    for database in [name, "postgres", "template1"] {
        run(&mut connection, format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")).await?;
    }
    connection.close().await?;
    if owned.has_vectors { add_vectors(&cluster.url(name)).await } else { Ok(()) }
}

/// Puts the extension `vector` into a database.
pub async fn add_vectors(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    run(&mut connection, "CREATE EXTENSION IF NOT EXISTS vector".to_owned()).await?;
    connection.close().await
}

/// Whether the server has a database of this name.
pub async fn database_exists(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)");
    found.bind(name).fetch_one(connection).await
}

/// Runs one statement whose names and literals the caller vouches for.
pub async fn run(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(|_| ())
}

/// Quotes a name for use in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
