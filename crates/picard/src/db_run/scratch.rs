//! Temporary folders that are removed when they are dropped, or by a later run when this process was killed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::files::{self, Lock};
use crate::postgres::leftover;
use crate::problem::Problem;
use crate::random;

const PREFIX: &str = "picard-db-";

/// A temporary folder of this process.
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: Lock,
}

impl Scratch {
    /// Creates the folder in the system's temporary folder.
    pub(super) fn create() -> Result<Self, Problem> {
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}", random::tag()?));
        files::create_folder(&folder, 0o700)?;
        let lock = Lock::take(&folder)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("picard: cannot remove {}: {error}", self.folder.display());
        }
    }
}

/// Removes what killed runs of the same user left: first their PostgreSQL, then their folder.
pub(super) async fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_named && is_own_folder(&entry.path()) {
            sweep_one(&entry.path()).await;
        }
    }
}

/// Anyone may create things in the temporary folder, links too: only real folders of this user count.
fn is_own_folder(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user)
}

async fn sweep_one(folder: &Path) {
    // A folder without the lock file is one that is just being created.
    if !folder.join("picard.lock").is_file() {
        return;
    }
    let Ok(_lock) = Lock::take(folder) else { return };
    if leftover::clear(&folder.join("postgres")).await.is_ok() {
        // It only costs disk space: not worth failing for.
        let _ = fs::remove_dir_all(folder);
    }
}
