//! How long `picard-server` takes to start on a database that is there, and how much memory it then holds.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::ground::Ground;
use super::report::{Measurement, Target, Unit};
use super::server::{Embedding, Server};
use crate::problem::Problem;

/// After this time the work of the start is done.
const SETTLED: Duration = Duration::from_millis(200);

/// Starts and stops the server without the local model again and again.
pub(super) async fn measure(ground: &Ground, seconds: Duration) -> Result<Vec<Measurement>, Problem> {
    let mut times = Vec::new();
    let mut memory = Vec::new();
    // The first one finds the program's file and the database cold.
    Server::start(ground, Embedding::Unused).await?.stop().await;
    let began = Instant::now();
    while times.is_empty() || began.elapsed() < seconds {
        let server = Server::start(ground, Embedding::Unused).await?;
        times.push(server.until_alive);
        tokio::time::sleep(SETTLED).await;
        memory.extend(server.resident_bytes().map(|bytes| bytes / f64::from(1 << 20)));
        server.stop().await;
    }
    let mut measurements = vec![Measurement::plain(
        "start of picard-server, without the model",
        (Unit::Milliseconds, Figures::of_times(&times)),
        Target::AtMost(300.0),
    )];
    if !memory.is_empty() {
        measurements.push(Measurement::plain(
            "memory (RSS) of picard-server, without the model",
            (Unit::Mebibytes, Figures::of(memory)),
            Target::AtMost(60.0),
        ));
    }
    Ok(measurements)
}
