//! The server as a program of its own.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    picard_server::command::run(std::env::args_os().collect()).await
}
