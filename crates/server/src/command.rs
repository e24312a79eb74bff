//! The command line.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use futures_util::future::BoxFuture;
use picard_app::{AdministratorOutcome, NewAdministrator};
use picard_crypto::{ExposeSecret, SecretString};

use crate::backup::{BackupOptions, RestoreOptions, backup, end_connections, restore};
use crate::bridge::{self, BridgeOptions};
use crate::check::check;
use crate::healthy::healthy;
use crate::import::{ImportOptions, import};
use crate::maintenance::{ReembedOptions, reembed, rotate_keys};
use crate::traces::Traces;
use crate::{Config, StartError, create_admin, logging, migrate, rotate_signing_key, start};

/// Picard's server: memories behind REST and MCP, with an OAuth authorization server.
#[derive(Debug, Parser)]
#[command(name = "picard-server", version)]
struct CommandLine {
    /// A file with variables, one NAME=value a line. Variables of the environment win. Default: .env, if it is there.
    #[arg(long, global = true)]
    env_file: Option<PathBuf>,

    #[command(flatten)]
    config: Config,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server (what happens without a command, too).
    Serve,
    /// Brings the database's schema up to date and stops.
    Migrate,
    /// Says everything that is wrong with the configuration and the database, and starts and changes nothing.
    Check,
    /// Asks the server at SERVER_ADDR on this machine whether it is ready, for the health check of a container.
    Healthy,
    /// Makes an administrator's account; does nothing when it is there. The password comes from ADMIN_PASSWORD or standard input.
    CreateAdmin(AdminOptions),
    /// Makes a new key for access tokens; the old one verifies until its last token has expired. Servers need no restart.
    RotateSigningKey,
    /// Wraps every person's key with the newest of ENCRYPTION_KEYS, while servers run; can be stopped and started again.
    RotateKeys,
    /// Writes a backup with PostgreSQL's pg_dump, while servers run; without tokens, sessions and consents.
    Backup(BackupOptions),
    /// Puts a backup back with PostgreSQL's pg_restore, while no server runs; people connect anew.
    Restore(RestoreOptions),
    /// Ends every session and every connection of applications: for a database that was put back by other means than restore.
    EndConnections,
    /// Joins an MCP client that starts programs to a server elsewhere; needs no setting of a server.
    McpStdio(BridgeOptions),
    /// Makes the embeddings of the configured model for all memories, while servers run with another.
    Reembed(ReembedOptions),
    /// Stores memories from a file of newline-delimited JSON for one person.
    Import(ImportOptions),
}

#[derive(Debug, Args)]
struct AdminOptions {
    /// The administrator's name.
    #[arg(long, env = "ADMIN_USERNAME", default_value = "admin")]
    username: String,

    /// The administrator's e-mail address.
    #[arg(long, env = "ADMIN_EMAIL")]
    email: Option<String>,
}

/// Runs the command line and gives back the exit code; errors are explained on standard error.
pub fn run(arguments: Vec<OsString>) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move {
        if let Some(options) = bridge::options(&arguments) {
            return match options {
                Ok(options) => done(bridge::run(options).await),
                Err(error) => misused(&error),
            };
        }
        if let Err(message) = load_env_file(&arguments) {
            return failed(&message);
        }
        let line = match parse(arguments) {
            Ok(line) => line,
            Err(error) => return misused(&error),
        };
        let is_server = matches!(line.command, None | Some(Command::Serve));
        let traces = match Traces::begin(line.config.otel_exporter_otlp_endpoint.as_deref().filter(|_| is_server)) {
            Ok(traces) => traces,
            Err(problem) => return failed(&problem),
        };
        logging::init_with(line.config.log_format, &line.config.rust_log, traces.as_ref());
        let outcome = match line.command.unwrap_or(Command::Serve) {
            Command::Serve => serve(line.config).await,
            Command::Migrate => migrate(line.config.database_url.expose_secret()).await.map_err(|error| error.to_string()),
            Command::Check => Box::pin(check(&line.config)).await,
            Command::Healthy => healthy(line.config.server_addr).await,
            Command::CreateAdmin(options) => create(&line.config, options).await,
            Command::RotateSigningKey => rotate(&line.config).await,
            Command::RotateKeys => rotate_keys(&line.config).await,
            Command::Reembed(options) => reembed(&line.config, &options).await,
            Command::Import(options) => import(&line.config, &options).await,
            Command::Backup(options) => Box::pin(backup(&line.config, &options)).await,
            Command::Restore(options) => Box::pin(restore(&line.config, &options)).await,
            Command::EndConnections => end_connections(&line.config).await,
            Command::McpStdio(options) => bridge::run(options).await,
        };
        if let Some(traces) = traces {
            traces.end().await;
        }
        done(outcome)
    })
}

fn done(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

/// Reads the command line. A variable that is set to nothing is not set: compose files cannot leave one out.
fn parse(arguments: Vec<OsString>) -> Result<CommandLine, clap::Error> {
    #[expect(clippy::disallowed_methods, reason = "clap reads the same variable")]
    let without_empty = |argument: Arg| {
        let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { argument.env(None) } else { argument }
    };
    let command = CommandLine::command().mut_args(without_empty).mut_subcommands(|command| command.mut_args(without_empty));
    CommandLine::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Says what is wrong with a command line, or what it asked to be told.
fn misused(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn failed(message: &str) -> ExitCode {
    eprintln!("picard-server: {message}");
    ExitCode::FAILURE
}

/// Reads the env file before the command line, because the command line's defaults come from the environment.
fn load_env_file(arguments: &[OsString]) -> Result<(), String> {
    let mut named = None;
    for (index, argument) in arguments.iter().enumerate() {
        let text = argument.to_string_lossy();
        if text == "--env-file" {
            named = arguments.get(index + 1).map(PathBuf::from);
        } else if let Some(path) = text.strip_prefix("--env-file=") {
            named = Some(PathBuf::from(path));
        }
    }
    let path = match named {
        Some(path) => path,
        None if Path::new(".env").is_file() => PathBuf::from(".env"),
        None => return Ok(()),
    };
    dotenvy::from_path(&path).map_err(|error| {
        let cause = match error {
            // The parser's error quotes the line, which may hold a secret (OPS-02).
            dotenvy::Error::LineParse(..) => "a line is not NAME=value, or its quotes do not end".to_owned(),
            dotenvy::Error::Io(error) => error.to_string(),
            _ => "its contents cannot be used".to_owned(),
        };
        format!("the env file {} cannot be read: {cause}", path.display())
    })
}

async fn serve(config: Config) -> Result<(), String> {
    let mut server = start(config).await.map_err(|error| error.to_string())?;
    tokio::select! {
        () = stop_signal() => {
            tracing::info!("Stopping: requests under way are finished first.");
            server.stop().await.map_err(|error| error.to_string())
        }
        () = server.wait() => Err("the server ended by itself; the log says why".to_owned()),
    }
}

/// Resolves on Ctrl-C and SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

async fn create(config: &Config, options: AdminOptions) -> Result<(), String> {
    let password = admin_password()?;
    let username = options.username.clone();
    let new = NewAdministrator { username: options.username, email: options.email, password };
    match create_admin(config, new).await {
        Ok(AdministratorOutcome::Created) => {
            println!("The administrator {username} was created.");
        }
        Ok(AdministratorOutcome::AlreadyThere) => {
            println!("The administrator {username} is there already; nothing was changed.");
        }
        Err(StartError::Database { message }) => return Err(message),
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

async fn rotate(config: &Config) -> Result<(), String> {
    let kid = rotate_signing_key(config).await.map_err(|error| error.to_string())?;
    println!("The key {kid} signs access tokens from now on; running servers use it within 30 seconds.");
    Ok(())
}

/// From the environment or standard input, never from the arguments, which other users of the machine can see (OPS-09).
#[expect(clippy::disallowed_methods, reason = "a password is no setting: it must not stand in Config, nor in --help")]
fn admin_password() -> Result<SecretString, String> {
    // Set to nothing is not set, as for every variable.
    if let Some(password) = std::env::var("ADMIN_PASSWORD").ok().filter(|password| !password.is_empty()) {
        return Ok(password.into());
    }
    eprintln!("The administrator's password (8 to 1,024 characters), then Enter and Ctrl-D:");
    let mut text = String::new();
    std::io::stdin().take(8_192).read_to_string(&mut text).map_err(|error| format!("standard input cannot be read: {error}"))?;
    let password = text.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        Err("set ADMIN_PASSWORD, or write the password to standard input".to_owned())
    } else {
        Ok(password.into())
    }
}
