//! Folders and files whose state must be right even when the process is killed half-way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::random;

/// Creates a folder of a person's data, closed to others. One that is there already keeps its mode: it may be
/// the person's own folder, used for other things too.
pub fn create_data_folder(folder: &Path) -> Result<(), Problem> {
    if folder.is_dir() { Ok(()) } else { create_folder(folder, 0o700) }
}

/// Creates a folder with its parents and gives it this mode.
pub fn create_folder(folder: &Path, mode: u32) -> Result<(), Problem> {
    fs::create_dir_all(folder).map_err(|error| Problem::file("create the folder", folder, &error))?;
    set_mode(folder, mode)
}

/// The permission bits of a file or folder.
pub fn mode(path: &Path) -> Result<u32, Problem> {
    let metadata = fs::metadata(path).map_err(|error| Problem::file("look at", path, &error))?;
    Ok(metadata.permissions().mode() & 0o7777)
}

/// Sets the permission bits, unless they are already set (which needs no right to change them).
pub fn set_mode(path: &Path, wanted: u32) -> Result<(), Problem> {
    if mode(path)? == wanted {
        return Ok(());
    }
    let set = fs::set_permissions(path, fs::Permissions::from_mode(wanted));
    set.map_err(|error| Problem::file("set the mode of", path, &error))
}

/// Replaces a file of secrets (mode 0600) at once: a reader or a kill finds the old or the new one, never a part.
pub fn write_private(path: &Path, content: &str) -> Result<(), Problem> {
    let explain = |error: io::Error| Problem::file("write", path, &error);
    let beside = temporary_name(path)?;
    let written = create_private(&beside)
        .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of it is of no use, and a second failure would only hide the first.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(explain)
}

fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    share_owner(path)?;
    Ok(file)
}

/// Gives a file that root has created to the owner of its folder, who could not use the folder any more otherwise.
pub fn share_owner(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|_| rustix::process::geteuid().is_root()) else {
        return Ok(());
    };
    let owner = fs::metadata(folder)?;
    if owner.uid() == 0 { Ok(()) } else { chown(path, Some(owner.uid()), Some(owner.gid())) }
}

/// A name beside `path` that no other process uses.
pub fn temporary_name(path: &Path) -> Result<PathBuf, Problem> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}", random::tag()?)))
}

/// Makes a path absolute, so that it holds for a child with another working folder. It need not exist.
pub fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(path).map_err(|error| Problem::file("find", path, &error))
}

/// A lock that ends with the process, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data folder, or says which process holds it.
    pub fn take(data_dir: &Path) -> Result<Self, Problem> {
        let path = data_dir.join("picard.lock");
        let mut file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(held(&mut file, data_dir)),
            Err(fs::TryLockError::Error(error)) => return Err(Problem::file("lock", &path, &error)),
        }
        note_owner(&mut file).map_err(|error| Problem::file("write", &path, &error))?;
        Ok(Self { _file: file })
    }

    /// Takes the lock of a cache folder, or answers nothing while another process holds it.
    pub fn try_take_cache(folder: &Path) -> Result<Option<Self>, Problem> {
        let path = folder.join(".lock");
        let file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(Problem::file("lock", &path, &error)),
        }
    }
}

fn open_lock(path: &Path) -> Result<File, Problem> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let shared = opened.and_then(|file| share_owner(path).map(|()| file));
    shared.map_err(|error| Problem::file("open", path, &error))
}

fn note_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn held(file: &mut File, data_dir: &Path) -> Problem {
    let mut owner = String::new();
    // The process id is a help only; the lock itself decides.
    let _ = file.read_to_string(&mut owner);
    let owner = match owner.trim() {
        "" => String::new(),
        id => format!(" (process {id})"),
    };
    Problem::new(format!("another picard{owner} is already using {}", data_dir.display()))
        .advice("stop it first, or start this one with another folder and other addresses: --data-dir, --server-addr, --web-addr")
}
