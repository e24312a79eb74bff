//! What a person and a program are told when everything is up.

use std::io::{Write as _, stdout};
use std::path::Path;

use serde::Serialize;

use crate::problem::Problem;

/// The one line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Ready {
    pub(super) event: &'static str,
    pub(super) server_url: String,
    pub(super) web_url: String,
    pub(super) server_database_url: String,
    pub(super) web_database_url: String,
    pub(super) admin_username: String,
}

/// Prints the line and flushes: whoever waits for it reads from a pipe.
pub(super) fn print_line(ready: &Ready) -> Result<(), Problem> {
    let line = serde_json::to_string(ready).map_err(|error| Problem::from_error("write the line of --json", &error))?;
    let mut output = stdout().lock();
    let written = writeln!(output, "{line}").and_then(|()| output.flush());
    written.map_err(|error| Problem::from_error("write to standard output", &error))
}

/// Tells the person on standard error.
pub(super) fn tell(ready: &Ready, password: Option<&str>, data_dir: &Path) {
    eprintln!("\nPicard is ready.\n");
    eprintln!("  web application  {}", ready.web_url);
    eprintln!("  server           {}  (documentation at /docs, MCP at /mcp)", ready.server_url);
    match password {
        Some(password) => {
            eprintln!("  administrator    {}, password {password}", ready.admin_username);
            eprintln!("                   (shown only now: write it down)");
        }
        None => eprintln!("  administrator    {}", ready.admin_username),
    }
    eprintln!("  data             {}  (back up the whole folder: it holds the keys too)", data_dir.display());
    eprintln!("\nStop with Ctrl-C.\n");
}
