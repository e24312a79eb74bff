//! The program `picard-web`; everything it does is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    picard_web::command::run(std::env::args_os().collect()).await
}
