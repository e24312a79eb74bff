//! What happens when something that the server depends on fails: each fault is brought about under load, and a table
//! says what it cost. `cargo test --workspace --test faults` is short; `FAULTS_CYCLES=100` repeats each fault more often.
#![expect(unreachable_pub, reason = "the kit is one module of two binaries; pub says what tests use")]

mod balancer;
mod clock;
mod database;
mod disk;
mod flips;
mod import;
mod kills;
#[path = "../it/kit/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod kit;
mod load;
mod model;
mod network;
mod outcome;
mod programs;
mod provider;
mod rolling;
mod surroundings;

use std::process::ExitCode;

use futures_util::future::{LocalBoxFuture, join_all};
use outcome::Outcome;

/// How often a fault is repeated, unless FAULTS_CYCLES says otherwise.
const CYCLES: usize = 10;
/// How many uploads are sent while the server is killed, twice each, at least.
const IMPORTS: usize = 50;

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

/// What runs beside each other: most faults are waited for.
fn lanes(cycles: usize) -> Vec<LocalBoxFuture<'static, Vec<Outcome>>> {
    let few = cycles.div_ceil(2);
    vec![
        Box::pin(async move { vec![Box::pin(import::kills(few.max(IMPORTS))).await] }),
        Box::pin(async move {
            vec![
                Box::pin(network::slow()).await,
                Box::pin(network::left()).await,
                Box::pin(network::half_open()).await,
                Box::pin(network::swallowed()).await,
                Box::pin(provider::faults()).await,
            ]
        }),
        Box::pin(async move {
            vec![
                Box::pin(kills::during_key_rotation(few)).await,
                Box::pin(kills::during_migrations(few)).await,
                Box::pin(kills::during_embedding(few)).await,
            ]
        }),
        Box::pin(async move {
            vec![
                Box::pin(rolling::restarts(3)).await,
                Box::pin(database::deadlocks(few.min(20))).await,
                Box::pin(disk::full()).await,
                Box::pin(flips::of_permission(cycles * 5)).await,
                Box::pin(model::faults()).await,
                Box::pin(surroundings::full_log()).await,
                Box::pin(surroundings::little_memory()).await,
                Box::pin(clock::skew()).await,
                Box::pin(clock::too_far()).await,
            ]
        }),
    ]
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
    // How soon PostgreSQL's return is noticed is measured with nothing else at work.
    let mut outcomes = vec![
        Box::pin(database::restarts(cycles)).await,
        Box::pin(database::lost_backends(cycles)).await,
        Box::pin(database::locks()).await,
    ];
    outcomes.extend(join_all(lanes(cycles)).await.into_iter().flatten());
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
