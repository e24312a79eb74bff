//! Making a new, empty cluster.

use std::fs;
use std::path::Path;

use super::adopt::hand_over;
use super::run_as::RunAs;
use super::{Installation, Purpose, SUPERUSER};
use crate::child::{self, Finished};
use crate::files;
use crate::problem::{Problem, disk_full};

/// Makes a cluster in `folder`, which appears under its name only when it is complete.
pub(super) async fn create(
    run_as: &RunAs,
    installation: &Installation,
    folder: &Path,
    purpose: Purpose,
    password: &str,
) -> Result<(), Problem> {
    let beside = folder.with_extension("new");
    remove_tree(&beside)?;
    let password_file = folder.with_extension("password");
    let made = initialise(run_as, installation, &beside, purpose, (&password_file, password)).await;
    // It is needed only while initdb runs; a failure to remove it must not hide initdb's.
    let _ = fs::remove_file(&password_file);
    made?;
    fs::rename(&beside, folder).map_err(|error| Problem::file("create", folder, &error))
}

async fn initialise(
    run_as: &RunAs,
    installation: &Installation,
    folder: &Path,
    purpose: Purpose,
    (password_file, password): (&Path, &str),
) -> Result<(), Problem> {
    files::create_folder(folder, 0o700)?;
    hand_over(run_as, folder)?;
    files::write_private(password_file, password)?;
    hand_over(run_as, password_file)?;
    let mut command = run_as.command(&installation.program("initdb"));
    command.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--data-checksums"]);
    command.args(locale(installation.major));
    command.arg("--pwfile").arg(password_file).arg("--pgdata").arg(folder);
    if purpose == Purpose::ThrowAway {
        command.arg("--no-sync");
    }
    let finished = child::run(command).await;
    let finished = finished.map_err(|error| Problem::file("run", &installation.program("initdb"), &error))?;
    if finished.is_success { Ok(()) } else { Err(explain(folder, &finished)) }
}

/// The same order and letter case everywhere: by code point, whatever the machine's language is.
fn locale(major: u32) -> &'static [&'static str] {
    if major >= 17 {
        &["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    } else if cfg!(target_os = "linux") {
        &["--locale", "C.UTF-8"]
    } else {
        &["--locale", "C"]
    }
}

fn explain(folder: &Path, finished: &Finished) -> Problem {
    let said = finished.last_words();
    let problem = Problem::new(format!("cannot create a PostgreSQL cluster in {}; initdb says:{said}", folder.display()));
    if let Some(remedy) = disk_full(&finished.stderr) {
        return problem.advice(remedy);
    }
    if said.contains("Permission denied") {
        return problem.advice("choose a data folder that belongs to this user (--data-dir)");
    }
    if said.contains("could not look up effective user ID") {
        return problem.advice("run picard as a user that has an entry in the password file (`useradd`)");
    }
    if said.contains("shared memory") {
        return problem.advice("give the container more shared memory (`--shm-size=256m`)");
    }
    problem
}

/// Removes what an interrupted attempt left.
pub(super) fn remove_tree(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Problem::file("remove", folder, &error)),
        _ => Ok(()),
    }
}
