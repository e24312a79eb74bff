//! A pinned file from the Python package index, used as a plain zip: checked against its SHA-256, then unpacked.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Cache, pip};
use crate::child;
use crate::files;
use crate::problem::Problem;

/// One pinned file and what of it is used.
#[derive(Clone)]
pub struct Wheel {
    /// What a person calls it.
    pub label: &'static str,
    /// The package that has it.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// The platform tag to ask for; none for a file that fits all.
    pub platform: Option<&'static str>,
    /// Its file name.
    pub file: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Its length in bytes, where known.
    pub size: Option<u64>,
    /// The folder it is unpacked to, inside the cache; the start of the SHA-256 is added.
    pub folder: &'static str,
    /// Where a file inside goes, relative to that folder; nothing when it is not used.
    pub wanted: fn(&str) -> Option<&str>,
    /// A file that must be there after unpacking.
    pub proof: &'static str,
}

impl Wheel {
    /// Where it is kept as fetched.
    pub fn path(&self, cache: &Cache) -> PathBuf {
        cache.folder().join(&self.file)
    }

    /// Where it is unpacked to.
    pub fn target(&self, cache: &Cache) -> PathBuf {
        cache.folder().join(format!("{}-{}", self.folder, &self.sha256[..8]))
    }
}

/// The folder of the unpacked file; fetches and unpacks what is missing.
pub async fn unpacked(wheel: &Wheel, cache: &Cache) -> Result<PathBuf, Problem> {
    let target = wheel.target(cache);
    if target.join(wheel.proof).is_file() {
        return Ok(target);
    }
    fs::create_dir_all(cache.folder()).map_err(|error| Problem::file("create the folder", cache.folder(), &error))?;
    let lock = cache.lock().await?;
    if !target.join(wheel.proof).is_file() {
        sweep(wheel, cache);
        make_available(wheel, cache).await?;
        let (wheel, path, target) = (wheel.clone(), wheel.path(cache), target.clone());
        child::blocking(move || unpack(&wheel, &path, &target)).await?;
    }
    drop(lock);
    Ok(target)
}

/// Removes what a killed process left half-made. The lock is held, so nobody is at work on it.
fn sweep(wheel: &Wheel, cache: &Cache) {
    let Ok(entries) = fs::read_dir(cache.folder()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [pip::SCRATCH, wheel.folder].iter().any(|start| name.starts_with(&format!(".{start}"))) {
            // It only costs disk space: not worth failing for.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Leaves the right file in the cache. A broken one is fetched again, once.
async fn make_available(wheel: &Wheel, cache: &Cache) -> Result<(), Problem> {
    let path = wheel.path(cache);
    if path.exists() {
        if is_intact(wheel, &path).await? {
            return Ok(());
        }
        eprintln!("picard: {} is broken (its SHA-256 is not the pinned one); fetching it again", path.display());
        fs::remove_file(&path).map_err(|error| Problem::file("remove", &path, &error))?;
    }
    for _ in 0..2 {
        pip::download(wheel, cache).await?;
        if is_intact(wheel, &path).await? {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|error| Problem::file("remove", &path, &error))?;
    }
    Err(Problem::new(format!("what was fetched as {} twice is not the pinned file", wheel.file)).advice(format!(
        "something between here and the package index changes files; get the file with SHA-256 {} another way and put it into {}",
        wheel.sha256,
        cache.folder().display()
    )))
}

async fn is_intact(wheel: &Wheel, path: &Path) -> Result<bool, Problem> {
    let (wanted, path) = (wheel.sha256.clone(), path.to_owned());
    child::blocking(move || {
        let found = sha256(&path).map_err(|error| Problem::file("read", &path, &error))?;
        Ok(found == wanted)
    })
    .await
}

/// The SHA-256 of a file in lower-case hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Unpacks under a temporary name and renames, so that neither a kill nor a second process leaves a half-made folder.
pub fn unpack(wheel: &Wheel, path: &Path, target: &Path) -> Result<(), Problem> {
    let beside = files::temporary_name(target)?;
    let unpacked = unpack_into(wheel, path, &beside).and_then(|()| put_in_place(&beside, target));
    if unpacked.is_err() {
        // What is left of it is of no use, and a second failure would only hide the first.
        let _ = fs::remove_dir_all(&beside);
    }
    unpacked.map_err(|error| Problem::file(&format!("unpack {} into", path.display()), target, &error))
}

fn put_in_place(from: &Path, target: &Path) -> io::Result<()> {
    match fs::remove_dir_all(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(from, target)
}

fn unpack_into(wheel: &Wheel, path: &Path, folder: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(from_zip)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(from_zip)?;
        if entry.is_dir() || entry.is_symlink() {
            continue;
        }
        // The name as a path that cannot lead out of the folder.
        let name = entry.enclosed_name().and_then(|path| path.to_str().map(str::to_owned));
        let Some(inside) = name.as_deref().and_then(wheel.wanted) else {
            continue;
        };
        let destination = folder.join(inside);
        let mode = if entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0) { 0o755 } else { 0o644 };
        write_entry(&mut entry, &destination, mode)?;
    }
    if !folder.join(wheel.proof).is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not in it", wheel.proof)));
    }
    open_folders(folder)
}

/// Lets other users in, whatever the umask says: PostgreSQL may have to run as another user than the one who fetches.
fn open_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

fn write_entry(entry: &mut impl io::Read, destination: &Path, mode: u32) -> io::Result<()> {
    if let Some(parent) = destination.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = BufWriter::new(File::create(destination)?);
    io::copy(entry, &mut file)?;
    file.flush()?;
    file.get_ref().set_permissions(fs::Permissions::from_mode(mode))?;
    file.get_ref().sync_all()
}

fn from_zip(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
