//! PostgreSQL's own programs, led to the configured database. Everything that leads them goes through the environment,
//! because other users of the machine can read command lines (OPS-09).

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use clap::Args;
use percent_encoding::percent_decode_str;
use picard_crypto::{ExposeSecret as _, SecretString};
use picard_storage::backup::NOT_KEPT;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use url::Url;

use super::manifest::{self, Digest};

#[derive(Debug, Args)]
pub(super) struct ToolOptions {
    /// The folder with pg_dump and pg_restore, of the server's version or later. Default: where the system looks for programs.
    #[arg(long, env = "PG_BIN")]
    pg_bin: Option<PathBuf>,
}

impl ToolOptions {
    fn command(&self, program: &str, url: &SecretString) -> Result<Command, String> {
        let path = self.pg_bin.as_ref().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        let mut command = Command::new(path);
        command.envs(variables(url)?).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}

/// Dumps one moment of the database into a file.
pub(super) async fn dump(options: &ToolOptions, url: &SecretString, snapshot: &str, output: &mut File) -> Result<Digest, String> {
    let mut command = options.command("pg_dump", url)?;
    command.args(["--format=custom", "--no-owner", "--no-privileges"]).arg(format!("--snapshot={snapshot}"));
    command.args(NOT_KEPT.map(|table| format!("--exclude-table-data={table}")));
    let mut child = command.spawn().map_err(|error| not_found("pg_dump", &error))?;
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("pg_dump cannot be listened to".to_owned());
    };
    let mut said = Vec::new();
    let copying = async move {
        // Ends with its pipe: when the disk is full, pg_dump must not wait for ever for somebody to read.
        let digest = manifest::copy(&mut stdout, output).await?;
        output.sync_all().await?;
        Ok::<_, std::io::Error>(digest)
    };
    let (copied, _) = tokio::join!(copying, stderr.read_to_end(&mut said));
    let digest = copied.map_err(|error| format!("the dump cannot be written: {error}"))?;
    let status = child.wait().await.map_err(|error| format!("pg_dump failed: {error}"))?;
    if status.success() { Ok(digest) } else { Err(explained("pg_dump", &said)) }
}

/// Restores a dump in one transaction: after a failure the database is as it was.
pub(super) async fn restore(options: &ToolOptions, url: &SecretString, dump: &Path, replace: bool) -> Result<(), String> {
    let mut command = options.command("pg_restore", url)?;
    command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]);
    command.arg(format!("--dbname={}", database(url)?));
    let list = if replace { Some(list_without_extensions(options, url, dump).await?) } else { None };
    if list.is_some() {
        command.args(["--clean", "--if-exists", "--use-list=/dev/stdin"]).stdin(Stdio::piped());
    }
    command.arg("--").arg(dump);
    let mut child = command.spawn().map_err(|error| not_found("pg_restore", &error))?;
    if let (Some(list), Some(mut stdin)) = (list, child.stdin.take()) {
        // What went wrong, if it stops reading, is told by its own words.
        let _ = stdin.write_all(list.as_bytes()).await;
    }
    finished("pg_restore", child.wait_with_output().await).map(|_| ())
}

/// What is in a dump, but for extensions: a database that holds something has them already, and only a superuser may
/// drop them.
async fn list_without_extensions(options: &ToolOptions, url: &SecretString, dump: &Path) -> Result<String, String> {
    let mut command = options.command("pg_restore", url)?;
    let listed = finished("pg_restore", command.arg("--list").arg("--").arg(dump).output().await)?;
    let list = String::from_utf8_lossy(&listed.stdout);
    Ok(list.lines().filter(|line| !line.contains(" EXTENSION ")).flat_map(|line| [line, "\n"]).collect())
}

fn finished(program: &str, outcome: Result<Output, std::io::Error>) -> Result<Output, String> {
    let output = outcome.map_err(|error| not_found(program, &error))?;
    if output.status.success() { Ok(output) } else { Err(explained(program, &output.stderr)) }
}

fn not_found(program: &str, error: &std::io::Error) -> String {
    format!("{program} cannot be run: {error}. Install PostgreSQL's client programs, or name their folder with --pg-bin")
}

fn explained(program: &str, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let advice = if said.contains("version") {
        "\nTake the program of the database's version, or a later one: --pg-bin names its folder."
    } else {
        ""
    };
    format!("{program} failed; it says:\n{}{advice}", said.trim())
}

/// The settings in a URL as libpq's variables. What the URL does not say is left to the environment, as the server does.
fn variables(url: &SecretString) -> Result<Vec<(&'static str, String)>, String> {
    let url = parse(url)?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut variables = Vec::new();
    if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
        variables.push(("PGHOST", plain(host.trim_matches(['[', ']']))));
    }
    if let Some(port) = url.port() {
        variables.push(("PGPORT", port.to_string()));
    }
    if !url.username().is_empty() {
        variables.push(("PGUSER", plain(url.username())));
    }
    if let Some(password) = url.password() {
        variables.push(("PGPASSWORD", plain(password)));
    }
    let database = url.path().trim_start_matches('/');
    if !database.is_empty() {
        variables.push(("PGDATABASE", plain(database)));
    }
    for (name, value) in url.query_pairs() {
        let variable = match &*name {
            "host" | "hostaddr" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "dbname" => "PGDATABASE",
            "sslmode" | "ssl-mode" => "PGSSLMODE",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            "options" => "PGOPTIONS",
            _ => continue,
        };
        variables.push((variable, value.into_owned()));
    }
    Ok(variables)
}

/// The database's name in libpq's own form, so that no name is taken for anything else.
fn database(url: &SecretString) -> Result<String, String> {
    let variables = variables(url)?;
    let last = |wanted: &str| variables.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let name = last("PGDATABASE").or_else(|| last("PGUSER")).ok_or("DATABASE_URL: must name a database")?;
    Ok(format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'")))
}

/// The URL holds a password: neither it nor the parser's words about it are shown.
fn parse(url: &SecretString) -> Result<Url, String> {
    Url::parse(url.expose_secret()).map_err(|_| "DATABASE_URL: must be a postgres:// URL".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_a_url_leads_the_programs() {
        let url =
            "postgres://me:se%20cret%2F@[::1]:5433/my%20data?sslmode=verify-full&sslrootcert=/ca.pem&statement-cache-capacity=1";

        let variables = variables(&url.to_owned().into()).expect("variables");

        let expected = [
            ("PGHOST", "::1"),
            ("PGPORT", "5433"),
            ("PGUSER", "me"),
            ("PGPASSWORD", "se cret/"),
            ("PGDATABASE", "my data"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
        ];
        assert_eq!(variables, expected.map(|(name, value)| (name, value.to_owned())), "OPS-09");
    }

    #[test]
    fn a_name_of_a_database_is_nothing_else() {
        for (url, name) in [
            ("postgres://me@h/plain", "dbname='plain'"),
            ("postgres://me@h/host=evil", "dbname='host=evil'"),
            ("postgres://me@h/it's", r"dbname='it\'s'"),
            ("postgres:///x?host=/run/postgresql&dbname=y", "dbname='y'"),
            ("postgres://me@h", "dbname='me'"),
        ] {
            assert_eq!(database(&url.to_owned().into()).as_deref(), Ok(name));
        }
        assert!(database(&"postgres://".to_owned().into()).is_err());
    }
}
