//! Servers as processes of their own, which can be killed.

use std::ffi::OsStr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::TestServer;

/// `picard-server` on a free port; it is killed when this is dropped.
pub struct Process {
    pub url: String,
    child: Child,
    log: JoinHandle<Vec<String>>,
}

impl Process {
    /// Kills it in the middle of whatever it does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a process that can be killed");
    }

    /// Stops it and gives back every line of its log.
    pub async fn log(mut self) -> Vec<String> {
        self.end().await;
        self.log.await.expect("its log")
    }

    /// Asks it to stop and waits until it has, in order.
    pub async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
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

/// The same with these variables alone, and with something on standard input.
pub async fn run_with(arguments: &[impl AsRef<OsStr>], variables: &[(&str, &str)], input: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picard-server"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("a process");
    // A program that ends without reading has closed it.
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes()).await;
    let output = child.wait_with_output().await.expect("its end");
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
        let mut log = Vec::new();
        let url = loop {
            let line = lines.next_line().await.expect("a log").expect("the server says that it is ready");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            log.push(line);
            if entry["message"] == "The server is ready." {
                break format!("http://{}", entry["address"].as_str().expect("an address"));
            }
        };
        // Whoever does not read a full pipe stops the writer.
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.push(line);
            }
            log
        });
        Process { url, child, log }
    }
}
