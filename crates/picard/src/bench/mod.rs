//! `picard bench`: how fast Picard is on this machine, as ratios measured in one run.
//!
//! What is compared takes turns (first the one, then the other, then the other way round), so that a busy machine
//! slows down both. Everything runs as `picard up` runs it: PostgreSQL with fsync, the server in a process of its own.

mod bare_search;
mod bearer;
mod comparison;
mod corpus;
mod figures;
mod ground;
mod limits;
mod load;
mod long_vectors;
mod mcp;
mod people;
mod pgbench;
mod provider;
mod report;
mod server;
mod soak;
mod starts;
mod texts;
mod web_pages;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::environment::Environment;
use crate::problem::Problem;
use crate::rest::{self, Person};
use crate::signals::StopSignals;

use comparison::Bench;
use figures::Figures;
use ground::Ground;
use report::{Measurement, Report, Target, Unit};
use server::{Embedding, Server};

/// Arguments of `picard bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// How many seconds each measurement takes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,

    /// How many memories the searched person has; they are made once and kept in the cache folder
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub memories: u32,

    /// How many numbers the vectors of the faked provider have
    #[arg(long, default_value_t = provider::DIMENSIONS, value_parser = clap::value_parser!(u16).range(8..=2_000))]
    pub dimensions: u16,

    /// How many people have a hundred memories each in `--part people`
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub people: u32,

    /// Measure nothing and run for so many minutes at half of what this machine can do; fails when memory, open files or connections grow
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    pub soak_minutes: Option<u64>,

    /// Measure only these; everything if none is named
    #[arg(long = "part", value_name = "PART", value_enum)]
    pub parts: Vec<Part>,

    /// Also write everything that was measured into this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Tools with the local model, bearer tokens, calls over MCP
    Model,
    /// Batches, searches of long vectors, and the limits of the machine, with a provider that costs nothing
    Limits,
    /// Starts, and memory without the model
    Starts,
    /// One's own searches beside those of many other people; takes long the first time, and is measured only when it is named
    People,
}

/// Measures everything and prints a table. A target that is missed is shown and is no failure.
pub async fn run(arguments: &BenchArguments, environment: &Environment) -> Result<ExitCode, Problem> {
    let mut signals = StopSignals::listen()?;
    if let Some(minutes) = arguments.soak_minutes {
        return tokio::select! {
            outcome = soak(arguments, environment, minutes) => outcome.map(|()| ExitCode::SUCCESS),
            _ = signals.next() => {
                eprintln!("picard: stopped");
                Ok(ExitCode::FAILURE)
            }
        };
    }
    let report = tokio::select! {
        report = measure(arguments, environment) => report?,
        _ = signals.next() => {
            eprintln!("picard: stopped");
            return Ok(ExitCode::FAILURE);
        }
    };
    report.print()?;
    if let Some(file) = &arguments.json {
        report.write_json(file)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn soak(arguments: &BenchArguments, environment: &Environment, minutes: u64) -> Result<(), Problem> {
    let mut ground = Ground::prepare(environment).await?;
    soak::run(&mut ground, arguments.memories, minutes).await
}

async fn measure(arguments: &BenchArguments, environment: &Environment) -> Result<Report, Problem> {
    if environment.has("OPENAI_API_KEY") {
        return Err(Problem::new("the bench measures the local model, and OPENAI_API_KEY is set")
            .advice("unset it: `env -u OPENAI_API_KEY picard bench`"));
    }
    let seconds = Duration::from_secs(arguments.seconds);
    let mut ground = Ground::prepare(environment).await?;
    let is_wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut measurements = Vec::new();
    if is_wanted(Part::Model) {
        measurements.extend(with_model(&mut ground, arguments, seconds).await?);
    }
    if is_wanted(Part::Limits) {
        let http = rest::client()?;
        eprintln!("picard: measuring batches, and searches of long vectors");
        measurements.extend(Box::pin(long_vectors::measure(&mut ground, &http, arguments)).await?);
    }
    if is_wanted(Part::Starts) {
        eprintln!("picard: measuring the start of picard-server");
        measurements.extend(starts::measure(&ground, seconds).await?);
    }
    if arguments.parts.contains(&Part::People) {
        let http = rest::client()?;
        eprintln!("picard: measuring searches beside many people");
        measurements.extend(Box::pin(people::measure(&mut ground, &http, arguments)).await?);
    }
    Ok(Report { seconds: arguments.seconds, memories: arguments.memories, measurements })
}

/// What is measured at a server with the local model.
async fn with_model(ground: &mut Ground, arguments: &BenchArguments, seconds: Duration) -> Result<Vec<Measurement>, Problem> {
    let http = rest::client()?;
    let embedder = ground.embedder()?;
    let server = Server::start(ground, Embedding::Local).await?;
    let credentials = ground.credentials(&http, &server.url, Embedding::Local).await?;
    let reader = format!("reader-of-{}", arguments.memories);
    let reader = (Person::connect(&http, &server.url, &credentials, &reader).await?, reader);
    corpus::complete(ground, &reader, arguments.memories, &server.url).await?;
    let writer = Person::connect(&http, &server.url, &credentials, "writer").await?;
    let bench = Bench { embedder: embedder.as_ref(), seconds };
    eprintln!("picard: measuring submit_memory");
    let submit = bench.submit_memory(&writer).await?;
    eprintln!("picard: measuring query_memory");
    let search = bare_search::BareSearch::prepare(ground, Embedding::Local, &reader.0, embedder.model()).await?;
    let query = bench.query_memory(&reader.0, search).await?;
    eprintln!("picard: measuring the verification of bearer tokens");
    let bearer = bearer::measure(ground, &http, &reader.0, &server.url, seconds).await?;
    eprintln!("picard: measuring calls over MCP");
    let calls = mcp::measure(&http, &reader.0, &server.url, seconds).await?;
    eprintln!("picard: measuring pages of the web application");
    let pages = web_pages::measure(ground, &server.url, &credentials, &reader.1).await?;
    server.stop().await;
    let page = |(name, milliseconds)| {
        Measurement::plain(name, (Unit::Milliseconds, Figures::of(vec![milliseconds])), Target::AtMost(25.0))
    };
    let pages = pages.into_iter().map(page).collect();
    Ok([vec![submit], query, vec![bearer], calls, pages].concat())
}
