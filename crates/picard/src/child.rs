//! Running another program to its end and keeping what it said.

use std::io;
use std::process::{Command, Stdio};

use crate::problem::Problem;

/// What a program that has ended left behind.
pub struct Finished {
    /// Whether it ended with exit code 0.
    pub is_success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// The last lines of what it said, indented, for a message.
    pub fn last_words(&self) -> String {
        last_lines(if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr })
    }
}

/// The last few lines of a text, indented, for a message.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(8);
    lines[start..].iter().map(|line| format!("\n    {line}")).collect()
}

/// Runs a program with nothing on its standard input. It is killed when the future is dropped.
pub async fn run(command: Command) -> io::Result<Finished> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.spawn()?.wait_with_output().await?;
    Ok(Finished {
        is_success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program and answers its standard output, or nothing when it is missing or failed.
pub async fn answer(command: Command) -> Option<String> {
    let finished = run(command).await.ok()?;
    finished.is_success.then(|| finished.stdout.trim().to_owned())
}

/// Runs work that blocks on a thread of its own.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Problem::from_error("finish a piece of work", &error)),
    }
}
