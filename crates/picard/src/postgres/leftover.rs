//! A PostgreSQL that a killed picard left running on our cluster, or only its `postmaster.pid`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::child;
use crate::problem::Problem;

/// Ends a PostgreSQL of ours that still runs, and removes a `postmaster.pid` that names somebody else's process.
/// The data folder's lock must be held: no living picard owns what is found.
pub async fn clear(cluster: &Path) -> Result<(), Problem> {
    let file = cluster.join("postmaster.pid");
    let Some(pid) = read_pid(&file) else { return Ok(()) };
    if test_kill_process(pid).is_err_and(|error| error == rustix::io::Errno::SRCH) {
        // PostgreSQL itself recognises the file of a process that is gone.
        return Ok(());
    }
    if !is_ours(pid, cluster).await {
        // The number was given to another process since (common in containers): PostgreSQL would refuse to start.
        return fs::remove_file(&file).map_err(|error| Problem::file("remove", &file, &error));
    }
    eprintln!("picard: stopping the PostgreSQL (process {}) that an earlier picard left behind", pid.as_raw_nonzero());
    for signal in [Signal::INT, Signal::QUIT] {
        // An error means that it has just ended, which is what the next line finds out.
        let _ = kill_process(pid, signal);
        if is_gone(pid, &file).await {
            return Ok(());
        }
    }
    Err(Problem::new(format!("PostgreSQL (process {}) is still running on {}", pid.as_raw_nonzero(), cluster.display()))
        .advice(format!("end it with `kill -QUIT {}` and start picard again", pid.as_raw_nonzero())))
}

/// The first line of the file is the process id.
fn read_pid(file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(file).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// PostgreSQL works inside its cluster's folder and was started with the folder's name.
async fn is_ours(pid: Pid, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    if let Ok(folder) = fs::read_link(process.join("cwd")) {
        return fs::canonicalize(cluster).is_ok_and(|cluster| cluster == folder);
    }
    let mut command = Command::new("ps");
    command.args(["-o", "command=", "-p", &pid.as_raw_nonzero().to_string()]);
    let said = child::answer(command).await.unwrap_or_default();
    said.contains(&cluster.display().to_string())
}

/// Waits up to ten seconds for the process and its file to go.
async fn is_gone(pid: Pid, file: &Path) -> bool {
    for _ in 0..400 {
        let has_ended = test_kill_process(pid).is_err_and(|error| error == rustix::io::Errno::SRCH);
        // As a zombie that nobody waits for it keeps its number, but it has removed its file.
        if has_ended || read_pid(file) != Some(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}
