//! A server for the official conformance suite of MCP: Picard's own door with all its checks, and behind it not
//! memories, but the tools, prompts and resources that the suite asks for by name. It takes the settings and the
//! database of `picard-server`.
//!
//! `cargo run -p picard-server --example conformance -- serve`
//!
//! Start with `fixture.rs`, then `dialogue.rs` for what asks the client something.

mod changes;
mod content;
mod dialogue;
mod fixture;
mod log;
mod prompts;
mod questions;
mod resources;
mod talks;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use picard_mcp::McpDoor;
use picard_server::{Config, logging, start_with};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, Shared};

/// Picard's door to MCP with the fixtures of the conformance suite behind it.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
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
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args_os().collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("conformance: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<OsString>) -> Result<(), String> {
    load_env_file(&arguments)?;
    let CommandLine { mut config, .. } = CommandLine::parse_from(arguments);
    logging::init(config.log_format, &config.rust_log);
    // It runs beside the real server, whose figures are there.
    config.metrics_addr.0 = None;
    let ending = CancellationToken::new();
    let shared = Shared::new(ending.clone());
    let starting = start_with(config, move |app, settings, refuse| {
        McpDoor::with_factory(app, settings, refuse, move || Fixture::new(shared.clone()))
    });
    let mut server = starting.await.map_err(|error| error.to_string())?;
    tokio::select! {
        () = stop_signal() => {
            ending.cancel();
            server.stop().await.map_err(|error| error.to_string())
        }
        () = server.wait() => Err("the server ended by itself; the log says why".to_owned()),
    }
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
    // The parser's error quotes the line, which may hold a secret.
    dotenvy::from_path(&path).map_err(|_| format!("the env file {} cannot be read", path.display()))
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
