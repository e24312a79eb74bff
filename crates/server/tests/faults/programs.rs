//! `picard-server` as a program under conditions of its own.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::kit::{TestServer, client};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program on a test server's database; it says nothing, and is killed when it is dropped.
pub fn program(server: &TestServer, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picard-server"));
    command.args(server.arguments(arguments));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// An address on this machine that is free at the moment.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").to_string()
}

/// Waits until a server says at this address that it is ready; false when it does not in time, or ended.
pub async fn is_ready(address: &str, child: &mut Child) -> bool {
    let (http, began) = (client(), Instant::now());
    while began.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
        let asked = http.get(format!("http://{address}/health/readiness")).send().await;
        if asked.is_ok_and(|answer| answer.status() == 200) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Runs a command of the program and kills it after a while, if it has not ended by then.
pub async fn kill_command(server: &TestServer, arguments: &[&str], after: Duration) {
    let mut child = program(server, arguments).spawn().expect("a process");
    tokio::time::sleep(after).await;
    let _ = child.kill().await;
}
