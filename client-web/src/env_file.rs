//! Env files: read as defaults for the flags, and updated with the credentials of a registration.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Reads the variables of an env file; lines set to nothing count as missing.
pub(crate) fn read(path: &Path) -> io::Result<HashMap<String, String>> {
    let entries = dotenvy::from_path_iter(path).map_err(io::Error::other)?;
    let mut variables = HashMap::new();
    for entry in entries {
        // The parser's error quotes the line, which may hold a secret.
        let (name, value) = entry.map_err(|_| io::Error::other("a line is not NAME=value"))?;
        if !value.trim().is_empty() {
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// The env file of a command line: the one that is named, or `.env` in the current directory if it is there.
pub(crate) fn named_in(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let argument = argument.to_string_lossy();
        if argument == "--env-file" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = argument.strip_prefix("--env-file=") {
            return Some(PathBuf::from(path));
        }
    }
    Some(PathBuf::from(".env")).filter(|path| path.is_file())
}

/// Sets variables in an env file, keeping every other line. The file is replaced in one step and is readable
/// by its owner only, because it holds a secret.
pub(crate) fn update(path: &Path, variables: &[(&str, &str)]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let old = match fs::read_to_string(&target) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let temporary = target.with_file_name(format!(".env-{}", Uuid::new_v4().simple()));
    let written = write_private(&temporary, &with_variables(&old, variables)).and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn with_variables(old: &str, variables: &[(&str, &str)]) -> String {
    let sets = |line: &str, name: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<String> =
        old.lines().filter(|line| !variables.iter().any(|(name, _)| sets(line, name))).map(str::to_owned).collect();
    lines.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
    lines.join("\n") + "\n"
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::with_variables;

    #[test]
    fn other_lines_of_an_env_file_are_kept() {
        let old = "# mine\nCLIENT_ID=old\nexport CLIENT_SECRET = x\nCLIENT_IDENTITY=kept\n";

        let new = with_variables(old, &[("CLIENT_ID", "a"), ("CLIENT_SECRET", "b")]);

        assert_eq!(new, "# mine\nCLIENT_IDENTITY=kept\nCLIENT_ID=a\nCLIENT_SECRET=b\n");
    }
}
