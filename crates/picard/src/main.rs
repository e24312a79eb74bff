//! The program `picard`; everything it does is in the library.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use picard::command::{self, Arguments};
use picard::environment::Environment;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("picard: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(command::run(arguments, Environment::capture()));
    // Work on other threads may not end by itself (a request that hangs), and nothing waits for it any more.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match result {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("picard: {problem}");
            ExitCode::FAILURE
        }
    }
}
