//! The command line of `picard`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use futures_util::future::LocalBoxFuture;

use crate::bench::{self, BenchArguments};
use crate::db_run;
use crate::environment::Environment;
use crate::fetch::{self, Cache};
use crate::postgres::locate;
use crate::problem::Problem;
use crate::program::{self, Program};
use crate::up::{self, UpArguments};

/// Picard on one machine: the server, the web application and their PostgreSQL, with one command
#[derive(Debug, Parser)]
#[command(name = "picard", version, propagate_version = true)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What `picard` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring up everything and keep it running until Ctrl-C
    Up(UpArguments),
    /// PostgreSQL for development
    Db {
        /// What to do with it
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Measure how fast Picard is on this machine, on a PostgreSQL of its own
    Bench(BenchArguments),
    /// Run a command of picard-server with the settings in the data folder
    Server(ProgramArguments),
    /// Run a command of picard-web with the settings in the data folder
    Web(ProgramArguments),
    /// Only fetch what `up` and `db run` need: PostgreSQL with pgvector and the embedding model
    Fetch,
}

/// What `picard db` can do.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Run a command with a PostgreSQL of its own that is thrown away afterwards
    ///
    /// The command gets DATABASE_URL (a superuser; pgvector is in every new database), SERVER_DATABASE_URL and
    /// WEB_DATABASE_URL (two migrated databases) and EMBEDDING_MODEL_DIR. When DATABASE_URL is set already, that
    /// server is used.
    Run(DbRunArguments),
}

/// Arguments of `picard db run`.
#[derive(Debug, Args)]
pub struct DbRunArguments {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Arguments of `picard server` and `picard web`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct ProgramArguments {
    /// Folder with the settings that `picard up` has written
    #[arg(long, default_value = "./data")]
    pub data_dir: PathBuf,

    /// The program's own arguments; `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// Does what the command line says; the answer is the exit code of the process.
pub fn run(arguments: Arguments, environment: Environment) -> LocalBoxFuture<'static, Result<ExitCode, Problem>> {
    Box::pin(async move {
        match arguments.command {
            Command::Up(arguments) => up::run(&arguments, &environment).await,
            Command::Db { command: DbCommand::Run(arguments) } => db_run::run(&arguments.command, &environment).await,
            Command::Bench(arguments) => Box::pin(bench::run(&arguments, &environment)).await,
            Command::Server(arguments) => Ok(program::run(Program::Server, &arguments).await),
            Command::Web(arguments) => Ok(program::run(Program::Web, &arguments).await),
            Command::Fetch => fetch_all(&environment).await,
        }
    })
}

async fn fetch_all(environment: &Environment) -> Result<ExitCode, Problem> {
    let cache = Cache::find(environment)?;
    let postgres = locate::locate(environment, &cache, None).await?;
    let model = fetch::model(environment, &cache).await?;
    eprintln!("picard: PostgreSQL {} is in {}", postgres.major, postgres.bin.display());
    eprintln!("picard: the embedding model is in {}", model.display());
    Ok(ExitCode::SUCCESS)
}
