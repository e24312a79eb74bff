//! PostgreSQL: finding an installation, running a private cluster, preparing databases.

mod adopt;
pub mod cluster;
mod create;
pub mod databases;
pub mod external;
pub mod leftover;
pub mod locate;
pub mod run_as;

use std::path::{Path, PathBuf};

pub use cluster::{Cluster, Plan, Purpose};

/// The superuser of every cluster of ours.
pub const SUPERUSER: &str = "postgres";

/// An installation of PostgreSQL that has pgvector.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The folder with `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Its major version: only the same one can open a cluster.
    pub major: u32,
    /// The folder that must be copied as a whole when another user has to reach it; none for an installed one.
    pub copy_root: Option<PathBuf>,
}

impl Installation {
    /// The path of one of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The same installation, copied into `folder`.
    fn moved_to(&self, copy_root: &Path, folder: &Path) -> Self {
        let bin = match self.bin.strip_prefix(copy_root) {
            Ok(inside) => folder.join(inside),
            Err(_) => self.bin.clone(),
        };
        Self { bin, major: self.major, copy_root: Some(folder.to_owned()) }
    }
}
