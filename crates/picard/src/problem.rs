//! The launcher's one error: what went wrong, and what the person at the terminal can do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

/// A failure in words for the person at the terminal.
#[derive(Debug)]
pub struct Problem {
    what: String,
    advice: Option<String>,
}

impl Problem {
    /// States what went wrong, in one sentence without a full stop at its end.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Explains an error of the file system at `path`: a full disk or a missing right gets its remedy.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        let problem = Self::new(format!("cannot {doing} {}: {error}", path.display()));
        match remedy(error.kind()) {
            Some(remedy) => problem.advice(remedy),
            None => problem,
        }
    }

    /// Explains any other error, with its whole chain of causes on one line.
    pub fn from_error(doing: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(format!("cannot {doing}: {}", chain(error)))
    }

    /// The first sentence, without the advice.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        match &self.advice {
            Some(advice) => write!(formatter, "\n  What to do: {advice}"),
            None => Ok(()),
        }
    }
}

impl Error for Problem {}

/// What to do about a full disk.
pub const DISK_FULL: &str = "the disk is full: free some space (a first start needs about 300 MB), then try again";

/// Recognises a full disk in what another program says about its failure, and answers what to do about it.
pub fn disk_full(said: &str) -> Option<&'static str> {
    let signs = ["No space left on device", "Check free disk space", "Disk quota exceeded"];
    signs.iter().any(|sign| said.contains(sign)).then_some(DISK_FULL)
}

/// What helps against an error that the operating system reported.
fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(DISK_FULL),
        io::ErrorKind::PermissionDenied => {
            Some("give this user the right to it (`ls -ld` shows whose it is), or choose another folder")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("the file system is read-only: choose another folder"),
        _ => None,
    }
}

/// Joins an error and its causes, leaving out a cause whose words the error already contains.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_explained_with_what_to_do() {
        let error = io::Error::from(io::ErrorKind::StorageFull);

        let problem = Problem::file("write", Path::new("data/server.env"), &error).to_string();

        assert!(problem.contains("data/server.env"), "{problem}");
        assert!(problem.contains("What to do: the disk is full"), "{problem}");
    }

    #[test]
    fn a_cause_is_not_repeated() {
        let error = io::Error::other(Problem::new("the reason"));

        assert_eq!(chain(&error), "the reason");
    }
}
