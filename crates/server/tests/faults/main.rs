//! What happens when something that the server depends on fails: each fault is brought about under load, and a table
//! says what it cost. `cargo test --workspace --test faults` is short; `FAULTS_CYCLES=100` repeats each fault more often.
#![expect(unreachable_pub, reason = "the kit is one module of two binaries; pub says what tests use")]

mod clock;
mod database;
mod disk;
mod import;
#[path = "../it/kit/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod kit;
mod load;
mod network;
mod outcome;
mod provider;

use std::process::ExitCode;

use outcome::Outcome;

/// How often a fault is repeated, unless FAULTS_CYCLES says otherwise.
const CYCLES: usize = 10;

#[expect(clippy::disallowed_methods, reason = "a switch for the person who runs the tests")]
fn cycles() -> usize {
    std::env::var("FAULTS_CYCLES").ok().and_then(|count| count.parse().ok()).unwrap_or(CYCLES)
}

/// A name on the command line means some other tests, as `cargo test NAME` gives it to every program.
fn is_wanted() -> bool {
    let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    let is_list = std::env::args().any(|argument| argument == "--list");
    !is_list && (names.peek().is_none() || names.any(|name| "faults".contains(&name)))
}

#[tokio::main]
async fn main() -> ExitCode {
    if !is_wanted() {
        return ExitCode::SUCCESS;
    }
    if kit::postgres::pg_bin().await.is_none() {
        return ExitCode::SUCCESS;
    }
    let cycles = cycles();
    let outcomes = [
        database::restarts(cycles).await,
        database::lost_backends(cycles).await,
        database::locks().await,
        disk::full().await,
        network::slow().await,
        network::half_open().await,
        provider::faults().await,
        import::kills(cycles.div_ceil(2)).await,
        clock::skew().await,
    ];
    println!("\n{}", Outcome::HEADER);
    for outcome in &outcomes {
        println!("{outcome}");
    }
    let wrong: Vec<String> = outcomes.iter().flat_map(Outcome::complaints).collect();
    for complaint in &wrong {
        println!("wrong: {complaint}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
