//! Faults of the machine: a log that cannot be written, little memory.

use std::fs::File;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::process::Command;

use crate::kit::postgres::Postgres;
use crate::kit::{TestServer, client};
use crate::load::Load;
use crate::outcome::Outcome;
use crate::programs::{free_address, is_ready, program};

/// The address space of the server, in KiB. Much of it is only reserved: code with its tables, stacks, the allocator.
const MEMORY: &str = "1048576";
/// How many of the largest requests come at once.
const LARGEST: usize = 200;

/// FLT-15: whatever goes to the log fails. The server serves.
pub async fn full_log() -> Outcome {
    const FAULT: &str = "FLT-15 log on a full disk";
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return Outcome::left_out(FAULT, "left out: there is no /dev/full here");
    };
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let address = free_address();
    let mut command = program(&server, &["--server-addr", &address]);
    let mut child = command.stderr(full).spawn().expect("a process");
    let mut wrong = Vec::new();
    if !is_ready(&address, &mut child).await {
        wrong.push("it does not start".to_owned());
    }
    let load = Load::begin(&format!("http://{address}"), &ada, 4);
    let recovery = load.until_success().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = load.end().await;
    if !matches!(child.try_wait(), Ok(None)) {
        wrong.push("it ended".to_owned());
    }
    let _ = child.kill().await;
    let mut outcome = Outcome::of(FAULT, &server.database_url, &ada, written).await;
    outcome.wrong.extend(wrong);
    outcome.recovered(recovery, Duration::from_secs(2))
}

/// FLT-24: many of the largest requests at once, each of which becomes far larger while it is read, with little memory.
pub async fn little_memory() -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let address = free_address();
    let url = format!("http://{address}");
    let mut command = Command::new("sh");
    let script = r#"ulimit -v "$0" && exec "$@""#;
    command.args(["-c", script, MEMORY, env!("CARGO_BIN_EXE_picard-server")]);
    command.args(server.arguments(&["--server-addr", &address]));
    // Each arena of the allocator reserves 64 MiB of addresses that it does not use.
    command.env("MALLOC_ARENA_MAX", "2").kill_on_drop(true);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().expect("a process");
    let mut wrong = Vec::new();
    if !is_ready(&address, &mut child).await {
        wrong.push("it does not start".to_owned());
    }
    let load = Load::begin(&url, &ada, 2);
    load.until_success().await;
    let (http, body) = (client(), largest_body());
    let send = |_| {
        let request = http.post(format!("{url}/api/tools")).bearer_auth(&ada.token).header("content-type", "application/json");
        request.body(body.clone()).send()
    };
    let mut answered = 0;
    for answer in join_all((0..LARGEST).map(send)).await {
        match answer.map(|answer| answer.status().as_u16()) {
            Ok(413 | 422 | 429 | 503) => answered += 1,
            Ok(status) => wrong.push(format!("a request that is too large in all was answered with {status}")),
            Err(error) => wrong.push(format!("a large request was not answered: {error:?}")),
        }
    }
    let recovery = load.until_success().await;
    let written = load.end().await;
    if answered < LARGEST || !matches!(child.try_wait(), Ok(None)) {
        wrong.push(format!("{answered} of {LARGEST} large requests were answered; {:?}", child.try_wait()));
    }
    let _ = child.kill().await;
    let mut outcome = Outcome::of("FLT-24 1 GiB, 200 largest requests", &server.database_url, &ada, written).await;
    // Of the same many complaints, a few tell enough.
    outcome.wrong.extend(wrong.into_iter().take(5));
    outcome.recovered(recovery, Duration::from_secs(5))
}

/// Just below the limit of a body, and as many values as fit into it.
fn largest_body() -> String {
    let (begin, one, end) = (r#"{"tool":"submit_memories","data":{"memories":["#, r#"{"text":"a"},"#, r#"{"text":"a"}]}}"#);
    let count = ((1 << 20) - begin.len() - end.len()) / one.len();
    format!("{begin}{}{end}", one.repeat(count))
}
