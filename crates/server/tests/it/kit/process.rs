//! Servers as processes of their own, which can be killed.

use std::ffi::OsStr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::TestServer;

/// `picard-server` on a free port; it is killed when this is dropped.
pub struct Process {
    pub url: String,
    child: Child,
}

impl Process {
    /// Kills it in the middle of whatever it does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a process that can be killed");
    }

    /// Asks it to stop and waits until it has, in order.
    pub async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").arg(&id).status().await.expect("kill");
        assert!(asked.success());
        let end = self.child.wait().await.expect("its end");
        assert!(end.success(), "OPS-06: {end}");
    }
}

/// Runs `picard-server` with exactly these arguments to its end: whether it succeeded, and all that it said.
pub async fn run(arguments: &[impl AsRef<OsStr>]) -> (bool, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_picard-server")).args(arguments).output();
    let output = run.await.expect("a process");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

impl TestServer {
    /// Runs a command of `picard-server` on the same database to its end: whether it succeeded, and all that it said.
    pub async fn command(&self, arguments: &[&str]) -> (bool, String) {
        run(&self.arguments(arguments)).await
    }

    /// Another process on the same database, behind the same public URL.
    pub async fn process(&self, arguments: &[&str]) -> Process {
        self.process_with(arguments, &[]).await
    }

    /// The same with variables in its environment.
    pub async fn process_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_picard-server"))
            .args(self.arguments(arguments))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let url = loop {
            let line = lines.next_line().await.expect("a log").expect("the server says that it is ready");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "The server is ready." {
                break format!("http://{}", entry["address"].as_str().expect("an address"));
            }
        };
        // Whoever does not read a full pipe stops the writer.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Process { url, child }
    }
}
