//! What it costs to find out who sends a request: the same handler with and without the bearer layer.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};

use super::figures::{Figures, milliseconds};
use super::ground::Ground;
use super::report::{Measurement, Target, Unit};
use super::server::Embedding;
use crate::problem::Problem;
use crate::rest::Person;

/// What the layer may add to a request, in milliseconds.
const TARGET: f64 = 0.3;
/// Pairs that are run before anything is measured.
const WARM_UP: u32 = 200;

/// Signature, revocation and the state of the account, by turns with nothing at all.
pub(super) async fn measure(
    ground: &Ground,
    http: &Client,
    person: &Person,
    server_url: &str,
    seconds: Duration,
) -> Result<Measurement, Problem> {
    let probe = picard_server::probe(ground.config(Embedding::Local)?, server_url.to_owned()).await;
    let probe = probe.map_err(|error| Problem::from_error("start the probe", &error))?;
    let ask = async |path: &str| {
        let began = Instant::now();
        let sent = http.get(format!("{}{path}", probe.url)).bearer_auth(person.access_token()).send().await;
        let answer = sent.map_err(|error| Problem::from_error("ask the probe", &error))?;
        if answer.status() == StatusCode::NO_CONTENT {
            Ok(began.elapsed())
        } else {
            Err(Problem::new(format!("the probe answers {}", answer.status())))
        }
    };
    let (mut open, mut guarded, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let mut began = Instant::now();
    let mut number = 0_u32;
    while number <= WARM_UP || began.elapsed() < seconds {
        // Every other time in the other order.
        let (without, with) = if number.is_multiple_of(2) {
            let without = ask("/open").await?;
            (without, ask("/guarded").await?)
        } else {
            let with = ask("/guarded").await?;
            (ask("/open").await?, with)
        };
        number += 1;
        if number == WARM_UP {
            began = Instant::now();
        } else if number > WARM_UP {
            open.push(without);
            guarded.push(with);
            added.push(milliseconds(with) - milliseconds(without));
        }
    }
    let parts = vec![("without the layer", Figures::of_times(&open)), ("with the layer", Figures::of_times(&guarded))];
    let name = "bearer verification, added to a request of one client";
    Ok(Measurement::plain(name, (Unit::Milliseconds, Figures::of(added)), Target::AtMost(TARGET)).with_parts(parts))
}
