//! `picard-server`, or `picard-web`, in a process of its own, as this same binary with other arguments.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::ground::Ground;
use crate::child::last_lines;
use crate::postgres::cluster::free_port;
use crate::problem::Problem;
use crate::rest;

/// How long a start or a stop may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the server's embeddings come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedding {
    /// The local model.
    Local,
    /// A provider that is never asked, so that no model is loaded.
    Unused,
    /// The bench's own provider, on this port.
    Provider {
        /// On this machine.
        port: u16,
        /// How many numbers a vector has.
        dimensions: u16,
        /// Of how many people the database is; 0: of those who measure.
        people: u32,
    },
}

/// A running server, or web application. Dropping it kills it.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    /// From the moment the program was started to its first good answer.
    pub(super) until_alive: Duration,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub(super) async fn start(ground: &Ground, embedding: Embedding) -> Result<Self, Problem> {
        let mut command = program(ground, embedding)?;
        command.arg("serve");
        Self::run(ground, command, ("picard-server", "SERVER_ADDR")).await
    }

    /// Starts the web application with these settings and waits until it answers.
    pub(super) async fn start_web(ground: &Ground, variables: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut command = part(ground, "web", variables)?;
        command.arg("serve");
        Self::run(ground, command, ("picard-web", "WEB_ADDR")).await
    }

    async fn run(ground: &Ground, mut command: Command, (name, variable): (&str, &str)) -> Result<Self, Problem> {
        let address = format!("127.0.0.1:{}", free_port(None)?);
        let url = format!("http://{address}");
        let alive = rest::client()?.get(format!("{url}/health/liveness"));
        let log = ground.folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|error| Problem::file("write", &log, &error))?;
        command.env(variable, &address).stderr(Stdio::from(file));
        let began = Instant::now();
        let mut child = command.spawn().map_err(|error| Problem::from_error(&format!("start {name}"), &error))?;
        loop {
            let request = alive.try_clone().map(reqwest::RequestBuilder::send);
            if let Some(request) = request
                && request.await.is_ok_and(|answer| answer.status().is_success())
            {
                let until_alive = began.elapsed();
                return Ok(Self { child, url, until_alive });
            }
            if matches!(child.try_wait(), Ok(Some(_))) || began.elapsed() > PATIENCE {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(Problem::new(format!("{name} did not start; it says:{}", last_lines(&said))));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Its process.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its resident memory in bytes; nothing where the system does not tell (it does on Linux).
    pub(super) fn resident_bytes(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u32 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(f64::from(kibibytes) * 1024.0)
    }

    /// Ends it in order.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // An error means that it has just ended.
            let _ = kill_process(pid, Signal::TERM);
        }
        // When it takes too long, dropping it kills it.
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
    }
}

/// The server with its settings and nothing else from the person's environment, still without its own arguments.
pub(super) fn program(ground: &Ground, embedding: Embedding) -> Result<Command, Problem> {
    part(ground, "server", ground.variables(embedding))
}

/// One of the two programs.
fn part(ground: &Ground, name: &str, variables: Vec<(String, String)>) -> Result<Command, Problem> {
    let binary = std::env::current_exe().map_err(|error| Problem::from_error("find this program's file", &error))?;
    let mut command = Command::new(binary);
    command
        .arg(name)
        .env_clear()
        .envs(variables)
        .current_dir(&ground.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
