//! `picard up`: everything on this machine, until it is told to stop.

mod addresses;
mod administrator;
mod database;
mod demo;
mod house;
mod log;
mod ready;
mod round_robin;
mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::environment::Environment;
use crate::problem::Problem;
use crate::signals::StopSignals;

use house::House;

/// Arguments of `picard up`.
#[derive(Debug, Args)]
pub struct UpArguments {
    /// Folder for the databases, secrets and settings; created when it is missing
    #[arg(long, default_value = "./data")]
    pub data_dir: PathBuf,

    /// Address and port of the server
    #[arg(long, env = "SERVER_ADDR", default_value = "127.0.0.1:8001", value_parser = addresses::parse)]
    pub server_addr: SocketAddr,

    /// Address and port of the web application
    #[arg(long, env = "WEB_ADDR", default_value = "127.0.0.1:8000", value_parser = addresses::parse)]
    pub web_addr: SocketAddr,

    /// The server's database on a PostgreSQL of your own, instead of a private one. The web application's is
    /// WEB_DATABASE_URL, or the same name with `_web`; both are created when they are missing
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// How many servers and web applications run behind the two addresses, each pair behind a proxy that gives every
    /// request to the next one: to try out what several replicas do
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub replicas: u8,

    /// Add two people, ada and grace, with a few dozen memories
    #[arg(long)]
    pub demo: bool,

    /// When ready, print one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
}

/// Brings everything up, keeps it running until a signal, and stops it in order.
pub async fn run(arguments: &UpArguments, environment: &Environment) -> Result<ExitCode, Problem> {
    let mut signals = StopSignals::listen()?;
    let house = tokio::select! {
        house = House::bring_up(arguments, environment) => Some(house?),
        _ = signals.next() => None,
    };
    let Some(mut house) = house else {
        eprintln!("picard: stopped before everything was up");
        return Ok(ExitCode::FAILURE);
    };
    house.announce(arguments.json)?;
    let ended = tokio::select! {
        _ = signals.next() => None,
        who = house.wait() => Some(who),
    };
    if let Some(who) = ended {
        eprintln!("picard: {who} ended by itself (its log says why); stopping everything");
    } else {
        eprintln!("picard: stopping (a second signal does not wait for requests)");
    }
    tokio::select! {
        () = house.stop_programs() => {}
        _ = signals.next() => {}
    }
    drop(house);
    eprintln!("picard: stopped");
    Ok(if ended.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
