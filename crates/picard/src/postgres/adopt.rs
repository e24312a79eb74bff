//! Choosing the identity for one cluster, and handing the files over to it.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;

use super::Installation;
use super::run_as::{self, RunAs};
use crate::child;
use crate::files;
use crate::problem::Problem;

/// Lets others pass through a folder to a name they know; they still cannot list it.
const PASSABLE: u32 = 0o011;

/// Chooses under which user PostgreSQL runs on `cluster` in `data_dir`, and sets the data folder's mode accordingly.
/// Answers the installation too, since it is copied into the data folder when that user cannot reach it elsewhere.
pub(super) async fn adopt(installation: Installation, data_dir: &Path, cluster: &Path) -> Result<(RunAs, Installation), Problem> {
    let owner = run_as::owner_of(cluster);
    if !RunAs::is_root() {
        check_owner(cluster, owner)?;
        return Ok((RunAs::Current, installation));
    }
    let mode = files::mode(data_dir)?;
    files::set_mode(data_dir, mode | PASSABLE)?;
    let choices = match owner {
        Some((0, _)) => run_as::namespace().into_iter().collect(),
        Some((uid, gid)) => vec![RunAs::User { uid, gid }],
        None => run_as::choices_of_root(),
    };
    let (run_as, installation) = match first_usable(&choices, &installation, data_dir).await? {
        Some(found) => found,
        None => fall_back(&installation, data_dir, cluster).await?,
    };
    if run_as.owner().is_none() {
        files::set_mode(data_dir, mode & !PASSABLE)?;
    }
    Ok((run_as, installation))
}

/// The first identity that reaches everything, tried with the installation where it is, then with a copy of it.
async fn first_usable(
    choices: &[RunAs],
    installation: &Installation,
    data_dir: &Path,
) -> Result<Option<(RunAs, Installation)>, Problem> {
    for run_as in choices {
        if run_as.can_use(installation, data_dir).await {
            return Ok(Some((run_as.clone(), installation.clone())));
        }
    }
    let Some(copy_root) = installation.copy_root.clone() else {
        return Ok(None);
    };
    for run_as in choices.iter().filter(|choice| choice.owner().is_some()) {
        let copy = installation.moved_to(&copy_root, &data_dir.join("postgresql"));
        if !reaches(run_as, data_dir).await {
            continue;
        }
        let (from, to) = (copy_root.clone(), data_dir.join("postgresql"));
        child::blocking(move || copy_tree(&from, &to)).await?;
        if run_as.can_use(&copy, data_dir).await {
            return Ok(Some((run_as.clone(), copy)));
        }
    }
    Ok(None)
}

async fn reaches(run_as: &RunAs, folder: &Path) -> bool {
    let mut command = run_as.command(Path::new("/bin/sh"));
    command.args(["-c", r#"cd "$1""#, "sh"]).arg(folder);
    child::answer(command).await.is_some()
}

/// When a cluster of root's own can no longer be used through a user namespace, another user takes it over.
async fn fall_back(installation: &Installation, data_dir: &Path, cluster: &Path) -> Result<(RunAs, Installation), Problem> {
    if run_as::owner_of(cluster).is_some_and(|(uid, _)| uid == 0)
        && let Some((run_as, installation)) = first_usable(&run_as::choices_of_root(), installation, data_dir).await?
    {
        hand_over(&run_as, cluster)?;
        return Ok((run_as, installation));
    }
    Err(Problem::new(format!(
        "PostgreSQL does not run as root, and no other user can reach {} (a folder above it is closed, and user namespaces are not available)",
        data_dir.display()
    ))
    .advice(
        "run picard as an ordinary user, or choose a data folder that other users can pass through, for example `--data-dir /var/lib/picard`",
    ))
}

fn check_owner(cluster: &Path, owner: Option<(u32, u32)>) -> Result<(), Problem> {
    let uid = rustix::process::geteuid().as_raw();
    match owner {
        Some((owner, _)) if owner != uid => Err(Problem::new(format!(
            "{} belongs to the user with id {owner}, and this is the user with id {uid}",
            cluster.display()
        ))
        .advice(format!(
            "run picard as the user who created it, or as root: `chown -R {uid} {}`",
            cluster.parent().unwrap_or(cluster).display()
        ))),
        Some(_) => Ok(()),
        None => run_as::check_password_entry(),
    }
}

/// Gives a file, or a folder with all that is in it, to the identity's user.
pub(super) fn hand_over(run_as: &RunAs, path: &Path) -> Result<(), Problem> {
    let Some((uid, gid)) = run_as.owner() else {
        return Ok(());
    };
    give(path, uid, gid).map_err(|error| Problem::file("change the owner of", path, &error))
}

fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    if metadata.uid() == uid || metadata.is_symlink() { Ok(()) } else { chown(path, Some(uid), Some(gid)) }
}

/// Copies under a temporary name and renames, so that a kill leaves no half copy under the real name.
fn copy_tree(from: &Path, to: &Path) -> Result<(), Problem> {
    if to.exists() {
        return Ok(());
    }
    let beside = files::temporary_name(to)?;
    let copied = copy(from, &beside).and_then(|()| fs::rename(&beside, to));
    copied.map_err(|error| Problem::file(&format!("copy {} to", from.display()), to, &error))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if metadata.is_file() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir_all(to)?;
    fs::set_permissions(to, metadata.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
