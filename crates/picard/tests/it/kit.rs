//! Running the real binary in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
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
    for name in FOREIGN
        .iter()
        .chain(&["ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"])
    {
        command.env_remove(name);
    }
    command
}

/// What a command said, for messages.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A `picard up` that is ready.
pub(crate) struct Up {
    child: Child,
    /// The line of `--json`.
    pub(crate) ready: serde_json::Value,
    /// From the start of the process to that line.
    pub(crate) took: Duration,
}

impl Up {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        let data_dir = data_dir.to_string_lossy().into_owned();
        let arguments = [
            "up",
            "--json",
            "--data-dir",
            &data_dir,
            "--server-addr",
            "127.0.0.1:0",
            "--web-addr",
            "127.0.0.1:0",
        ];
        let begin = Instant::now();
        let mut command = picard(&arguments);
        let mut child = command
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("picard runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let took = begin.elapsed();
        if line.is_empty() {
            let output = child.wait_with_output().expect("its end");
            panic!("picard up did not become ready: {}", stderr(&output));
        }
        Self {
            child,
            ready: serde_json::from_str(&line).expect("JSON"),
            took,
        }
    }

    /// A member of the line of `--json`.
    pub(crate) fn says(&self, name: &str) -> String {
        self.ready[name].as_str().expect("a text").to_owned()
    }

    /// Asks it to end and answers its exit code and all that it wrote to standard error.
    pub(crate) fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, signal).expect("it still runs");
        let mut said = String::new();
        let stderr = self.child.stderr.take().expect("its standard error");
        BufReader::new(stderr).read_to_string(&mut said).expect("text");
        (self.child.wait().expect("its end").code(), said)
    }
}
