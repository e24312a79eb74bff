//! A PostgreSQL server that the person runs: its databases are used as given, and created when they are missing.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use url::Url;

use super::databases::{add_vectors, quoted, run};
use crate::problem::Problem;

/// The code PostgreSQL answers with when the database does not exist.
const NO_SUCH_DATABASE: &str = "3D000";
/// Another process created it in the same moment.
const DATABASE_EXISTS: &str = "42P04";
/// The role may not do this.
const NOT_ALLOWED: &str = "42501";

/// The same server and role, with the database's name followed by `_web`.
pub fn web_database_url(database_url: &str) -> Result<String, Problem> {
    let mut url = parse(database_url)?;
    let name = url.path().trim_start_matches('/').to_owned();
    if name.is_empty() {
        return Err(
            Problem::new("DATABASE_URL names no database").advice("write it as postgres://user:password@host:5432/picard")
        );
    }
    url.set_path(&format!("/{name}_web"));
    Ok(url.to_string())
}

/// Creates the database when it is missing, if the role may.
pub async fn ensure_database(variable: &str, database_url: &str) -> Result<(), Problem> {
    match connect(database_url).await {
        Ok(connection) => {
            // It was only a question; what closing says does not matter.
            let _ = connection.close().await;
            Ok(())
        }
        Err(error) if code_of(&error).as_deref() == Some(NO_SUCH_DATABASE) => create(variable, database_url).await,
        Err(error) => Err(unreachable(variable, &error)),
    }
}

/// Makes sure that the server's database has the extension `vector`.
pub async fn ensure_vectors(database_url: &str) -> Result<(), Problem> {
    let Err(error) = add_vectors(database_url).await else {
        return Ok(());
    };
    let problem = Problem::from_error("add the extension vector (pgvector) to the database of DATABASE_URL", &error);
    Err(if code_of(&error).as_deref() == Some(NOT_ALLOWED) {
        problem.advice("have a superuser run `CREATE EXTENSION vector` in that database once")
    } else {
        problem.advice("install pgvector 0.8.4 or newer on that server")
    })
}

async fn create(variable: &str, database_url: &str) -> Result<(), Problem> {
    let url = parse(database_url)?;
    let name = url.path().trim_start_matches('/').to_owned();
    let mut maintenance = url;
    maintenance.set_path("/postgres");
    let created = async {
        let mut connection = connect(maintenance.as_str()).await?;
        run(&mut connection, format!("CREATE DATABASE {}", quoted(&name))).await?;
        connection.close().await
    };
    match created.await {
        Err(error) if code_of(&error).as_deref() != Some(DATABASE_EXISTS) => {
            Err(Problem::from_error(&format!("create the database {name} of {variable}"), &error)
                .advice(format!("create it yourself: `CREATE DATABASE {}`", quoted(&name))))
        }
        _ => Ok(()),
    }
}

async fn connect(database_url: &str) -> Result<PgConnection, sqlx::Error> {
    database_url.parse::<PgConnectOptions>()?.connect().await
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
}

/// The URL holds a password: neither it nor the parser's words about it are shown.
fn parse(database_url: &str) -> Result<Url, Problem> {
    Url::parse(database_url).map_err(|_| {
        Problem::new("the address of the database is not a URL").advice("write it as postgres://user:password@host:5432/picard")
    })
}

fn unreachable(variable: &str, error: &sqlx::Error) -> Problem {
    let problem = Problem::from_error(&format!("connect to the database of {variable}"), error);
    match error {
        sqlx::Error::Io(_) => problem.advice("start that server, or unset the variable to use a private PostgreSQL"),
        _ => problem.advice("check the user, the password and the database in the variable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_database_is_named_after_the_servers() {
        let url = web_database_url("postgres://me:secret@db.example:5432/picard?sslmode=require").expect("a URL");

        assert_eq!(url, "postgres://me:secret@db.example:5432/picard_web?sslmode=require");
    }

    #[test]
    fn a_password_is_never_shown() {
        let problem = web_database_url("postgres://me:se cret@@/::").expect_err("not a URL").to_string();

        assert!(!problem.contains("cret"), "{problem}");
    }
}
