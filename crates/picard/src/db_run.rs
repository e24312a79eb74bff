//! `picard db run`: a command with a PostgreSQL of its own that is gone afterwards.

mod databases;
mod scratch;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::environment::Environment;
use crate::fetch::{self, Cache};
use crate::problem::Problem;
use crate::signals::StopSignals;

use databases::Prepared;

/// How long the command may take to end after a signal.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command and answers its exit code.
pub async fn run(command: &[OsString], environment: &Environment) -> Result<ExitCode, Problem> {
    let mut signals = StopSignals::listen()?;
    let prepared = tokio::select! {
        prepared = prepare(environment) => prepared?,
        signal = signals.next() => return Ok(code_of_signal(signal.as_raw())),
    };
    let result = match spawn(command, &prepared) {
        Ok(mut child) => wait(&mut child, &mut signals).await,
        Err(problem) => Err(problem),
    };
    prepared.remove().await;
    result.map(code_of)
}

async fn prepare(environment: &Environment) -> Result<Prepared, Problem> {
    let cache = Cache::find(environment)?;
    let model_dir = fetch::model(environment, &cache).await?;
    match environment.get("DATABASE_URL") {
        Some(url) => Prepared::on_given_server(url, model_dir).await,
        None => Prepared::on_own_server(environment, &cache, model_dir).await,
    }
}

fn spawn(command: &[OsString], prepared: &Prepared) -> Result<Child, Problem> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Problem::new("no command was given"));
    };
    let spawned = Command::new(program).args(arguments).envs(prepared.variables()).kill_on_drop(true).spawn();
    spawned.map_err(|error| {
        let problem = Problem::new(format!("cannot run {}: {error}", program.to_string_lossy()));
        match error.kind() {
            io::ErrorKind::NotFound => problem.advice("check how the command is written"),
            _ => problem,
        }
    })
}

/// Waits for the command. A signal is passed on to it, and after a while it is killed.
async fn wait(child: &mut Child, signals: &mut StopSignals) -> Result<ExitStatus, Problem> {
    let waited = tokio::select! {
        status = child.wait() => status,
        signal = signals.next() => {
            pass_on(child, signal);
            match tokio::time::timeout(PATIENCE, child.wait()).await {
                Ok(status) => status,
                Err(_) => end(child).await,
            }
        }
    };
    waited.map_err(|error| Problem::from_error("wait for the command", &error))
}

fn pass_on(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = id.and_then(Pid::from_raw) {
        // An error means that it has just ended.
        let _ = kill_process(pid, signal);
    }
}

async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    child.start_kill()?;
    child.wait().await
}

/// The exit code, or as shells do it 128 and the signal's number.
fn code_of(status: ExitStatus) -> ExitCode {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => code_of_signal(signal),
        (None, None) => ExitCode::FAILURE,
    }
}

fn code_of_signal(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}
