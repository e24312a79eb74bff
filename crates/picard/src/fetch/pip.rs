//! Fetching through `pip`, which knows its own index, mirrors and proxies; only its file is used, no Python.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Cache;
use super::progress::Progress;
use super::wheel::Wheel;
use crate::child::{self, Finished};
use crate::files;
use crate::problem::{Problem, disk_full};

const INSTALL_PIP: &str = "install it (Debian, Ubuntu: `apt install python3 python3-pip`; Fedora: `dnf install python3-pip`; \
     macOS: `brew install python`)";

/// How the temporary folders of downloads are called; a dot and a random word are put around it.
pub(super) const SCRATCH: &str = "fetching";

/// Fetches the file into the cache under its own name, unchecked.
pub(super) async fn download(wheel: &Wheel, cache: &Cache) -> Result<(), Problem> {
    let scratch = Scratch::create(cache)?;
    let progress = Progress::start(wheel.label, wheel.size);
    let finished = tokio::select! {
        finished = child::run(command(wheel, scratch.path())) => finished,
        never = watch(scratch.path(), &progress) => match never {},
    };
    let finished = finished.map_err(|error| no_python(wheel, cache, &error))?;
    if !finished.is_success {
        progress.abandon();
        return Err(explain(wheel, cache, &finished));
    }
    progress.finish();
    let fetched = scratch.path().join(&wheel.file);
    fs::rename(&fetched, wheel.path(cache)).map_err(|error| Problem::file("keep", &fetched, &error))
}

fn command(wheel: &Wheel, scratch: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
    command.args(["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]);
    if let Some(platform) = wheel.platform {
        command.args(["--platform", platform, "--python-version", "3.12"]);
    }
    command.arg("--dest").arg(scratch).arg(format!("{}=={}", wheel.package, wheel.version));
    // pip writes into its temporary folder while it fetches: there the growing file can be watched.
    command.env("TMPDIR", scratch);
    command
}

/// Shows how much has arrived, until dropped.
async fn watch(scratch: &Path, progress: &Progress) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        progress.set(largest_file(scratch));
    }
}

/// The length of the largest file in a folder and below.
fn largest_file(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let lengths = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => largest_file(&entry.path()),
        Ok(metadata) if entry.path().extension() == Some(OsStr::new("whl")) => metadata.len(),
        _ => 0,
    });
    lengths.max().unwrap_or(0)
}

fn no_python(wheel: &Wheel, cache: &Cache, error: &io::Error) -> Problem {
    if error.kind() != io::ErrorKind::NotFound {
        return Problem::new(format!("cannot run python3, which fetches {}: {error}", wheel.label));
    }
    Problem::new(format!("{} must be fetched, and python3 with pip, which does it, is not installed", wheel.label))
        .advice(format!("{INSTALL_PIP}; or {}", by_hand(wheel, cache)))
}

fn explain(wheel: &Wheel, cache: &Cache, finished: &Finished) -> Problem {
    let said = &finished.stderr;
    if said.contains("No module named pip") {
        return Problem::new(format!("{} must be fetched, and python3 has no pip, which does it", wheel.label))
            .advice(format!("{INSTALL_PIP}; or {}", by_hand(wheel, cache)));
    }
    if let Some(remedy) = disk_full(said) {
        return Problem::new(format!("cannot fetch {} into {}", wheel.label, cache.folder().display())).advice(remedy);
    }
    let problem = Problem::new(format!("cannot fetch {}; pip says:{}", wheel.label, finished.last_words()));
    problem.advice(format!("check the network and pip's settings (`python3 -m pip config list`); or {}", by_hand(wheel, cache)))
}

fn by_hand(wheel: &Wheel, cache: &Cache) -> String {
    format!(
        "fetch {} of the package {} {} on another machine and put it into {}",
        wheel.file,
        wheel.package,
        wheel.version,
        cache.folder().display()
    )
}

/// A temporary folder inside the cache, so that keeping the file is a rename.
struct Scratch(PathBuf);

impl Scratch {
    fn create(cache: &Cache) -> Result<Self, Problem> {
        let folder = files::temporary_name(&cache.folder().join(SCRATCH))?;
        fs::create_dir_all(&folder).map_err(|error| Problem::file("create the folder", &folder, &error))?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A left-over folder costs only disk space and there is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
