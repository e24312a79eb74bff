//! Running the real binary in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What a developer may have set and what would lead a test astray.
const FOREIGN: [&str; 16] = [
    "DATABASE_URL",
    "SERVER_DATABASE_URL",
    "WEB_DATABASE_URL",
    "SERVER_ADDR",
    "WEB_ADDR",
    "PUBLIC_URL",
    "WEB_PUBLIC_URL",
    "SERVER_URL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ENCRYPTION_KEYS",
    "WEB_ENCRYPTION_KEYS",
    "ENVIRONMENT",
    "LOG_FORMAT",
    "RUST_LOG",
    "OPENAI_API_KEY",
];

/// A folder that PostgreSQL's user can pass through when the tests run as root.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode is set");
    folder
}

/// The binary with these arguments and nothing of the developer's settings.
pub(crate) fn picard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picard"));
    command.args(arguments).stdin(Stdio::null());
    for name in FOREIGN.iter().chain(&["ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"]) {
        command.env_remove(name);
    }
    command
}

/// What a command said, for messages.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one HTTP client of these tests.
#[expect(clippy::disallowed_methods, reason = "the one HTTP client of these tests")]
pub(crate) fn http() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        // A kept connection may be closed by the other side just as it is used again.
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(60))
        .build();
    client.expect("a client")
}

/// `picard up` in this folder on free ports.
pub(crate) fn up_command(data_dir: &Path) -> Command {
    let mut command = picard(&["up", "--data-dir"]);
    command.arg(data_dir).args(["--server-addr", "127.0.0.1:0", "--web-addr", "127.0.0.1:0"]);
    command
}

/// A `picard up` that is ready. When a test fails it is stopped all the same.
pub(crate) struct Up {
    child: Child,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    /// The line of `--json`.
    pub(crate) ready: serde_json::Value,
    /// From the start of the process to that line.
    pub(crate) took: Duration,
}

impl Up {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::spawn(up_command(data_dir).arg("--json").args(more))
    }

    /// Runs a command made by [`up_command`] and waits until it is ready.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let begin = Instant::now();
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("picard runs");
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().expect("its standard error");
        let listener = Some(listen(stderr, Arc::clone(&said)));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let mut up = Self { child, said, listener, ready: serde_json::Value::Null, took: begin.elapsed() };
        if line.is_empty() {
            let said = up.end().1;
            panic!("picard up did not become ready: {said}");
        }
        up.ready = serde_json::from_str(&line).expect("JSON");
        up
    }

    /// A member of the line of `--json`.
    pub(crate) fn says(&self, name: &str) -> String {
        self.ready[name].as_str().expect("a text").to_owned()
    }

    /// What it has written to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("a lock").clone()
    }

    /// The administrator's password, as it is told on the first start, a moment after the line of `--json`.
    pub(crate) async fn first_password(&self) -> String {
        let begin = Instant::now();
        loop {
            let said = self.said();
            if let Some((_, rest)) = said.split_once("admin, password ") {
                return rest.split_whitespace().next().expect("it").to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "no password: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to end and answers its exit code and all that it wrote to standard error.
    pub(crate) fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(self.process(), signal).expect("it still runs");
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("its end").code();
        let listener = self.listener.take().expect("one that listens");
        listener.join().expect("all that it said");
        (code, self.said())
    }

    fn process(&self) -> Pid {
        let process = i32::try_from(self.child.id()).ok();
        process.and_then(Pid::from_raw).expect("a process id")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Not at once with KILL: it would leave its PostgreSQL behind.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(self.process(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Reads all the time: a program whose output nobody takes stands still.
fn listen(stderr: ChildStderr, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("a lock");
            said.push_str(&line);
            said.push('\n');
        }
    })
}
