//! What a backup says of itself, in a file beside it: enough to know before a restore that it will work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use picard_crypto::{KeyRing, StreamHash};
use picard_domain::Timestamp;
use picard_storage::backup::{Contents, newest_schema};
use serde::{Deserialize, Serialize};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// How this program writes and reads manifests.
const FORMAT: u32 = 1;
/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// The length of a dump and its SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    pub bytes: u64,
    pub sha256: String,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    program_version: String,
    schema_version: i64,
    pub created_at: Timestamp,
    pub key_fingerprints: Vec<String>,
    pub rows: BTreeMap<String, i64>,
    /// Tables whose rows are left out on purpose.
    without: Vec<String>,
    pub bytes: u64,
    sha256: String,
}

impl Manifest {
    pub(super) fn new(created_at: Timestamp, contents: Contents, digest: Digest, without: &[&str]) -> Self {
        Self {
            format: FORMAT,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: contents.schema_version,
            created_at,
            key_fingerprints: contents.key_fingerprints,
            rows: contents.rows,
            without: without.iter().map(ToString::to_string).collect(),
            bytes: digest.bytes,
            sha256: digest.sha256,
        }
    }

    /// Writes it where nothing is yet.
    pub(super) async fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| format!("the manifest cannot be written: {error}"))?;
        let mut file = create(path).await?;
        let written = async {
            file.write_all(text.as_bytes()).await?;
            file.write_all(b"\n").await?;
            file.sync_all().await
        };
        written.await.map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    pub(super) async fn read(path: &Path) -> Result<Self, String> {
        let text = tokio::fs::read_to_string(path).await.map_err(|error| {
            format!("the manifest {} cannot be read: {error}; it stands beside every complete backup", path.display())
        })?;
        serde_json::from_str(&text).map_err(|error| format!("{} is no manifest of a backup: {error}", path.display()))
    }

    /// Whether this program and these keys can use the backup.
    pub(super) fn check(&self, keys: &KeyRing) -> Result<(), String> {
        if self.format != FORMAT || self.schema_version > newest_schema() {
            return Err(format!(
                "the backup was made by picard-server {} and its schema {:04} is newer than this program's: use that version",
                self.program_version, self.schema_version
            ));
        }
        let known = keys.fingerprints();
        let missing: Vec<&str> = self.key_fingerprints.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("ENCRYPTION_KEYS: the backup needs the keys with the fingerprints {}, which are missing", missing.join(", ")))
    }

    /// Whether the file is the one that was written.
    pub(super) async fn verify(&self, dump: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{} cannot be read: {error}", dump.display());
        let mut file = File::open(dump).await.map_err(failed)?;
        let digest = copy(&mut file, &mut tokio::io::sink()).await.map_err(failed)?;
        if digest.bytes == self.bytes && digest.sha256 == self.sha256 {
            return Ok(());
        }
        Err(format!("{} is damaged: it is not what its manifest says; take another copy", dump.display()))
    }
}

/// Where the manifest of a dump is.
pub(super) fn beside(dump: &Path) -> PathBuf {
    let mut name: OsString = dump.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// Makes a new file that only its owner can read.
pub(super) async fn create(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await;
    opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists_already(path),
        _ => format!("{} cannot be written: {error}", path.display()),
    })
}

/// Says so early when a file is in the way.
pub(super) fn refuse_existing(path: &Path) -> Result<(), String> {
    if path.exists() { Err(exists_already(path)) } else { Ok(()) }
}

fn exists_already(path: &Path) -> String {
    format!("{} is there already and is not overwritten: choose another name", path.display())
}

/// Copies everything and says what it was.
pub(super) async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<Digest, std::io::Error> {
    let (mut hash, mut bytes, mut piece) = (StreamHash::default(), 0, vec![0; PIECE]);
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            to.flush().await?;
            return Ok(Digest { bytes, sha256: hash.finish() });
        }
        hash.update(&piece[..count]);
        bytes += count as u64;
        to.write_all(&piece[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use picard_crypto::FernetKey;

    use super::*;

    fn manifest(schema_version: i64, key_fingerprints: Vec<String>) -> Manifest {
        let contents = Contents { schema_version, key_fingerprints, rows: BTreeMap::from([("memories".to_owned(), 3)]) };
        let created_at = "2026-01-01T00:00:00Z".parse().expect("a time");
        Manifest::new(created_at, contents, Digest { bytes: 5, sha256: "00".to_owned() }, &["grants"])
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = manifest(1, vec!["a0fdbdb9".to_owned()]);

        let text = serde_json::to_string(&manifest).expect("JSON");

        assert_eq!(serde_json::from_str::<Manifest>(&text).expect("a manifest"), manifest, "FLT-27");
    }

    #[test]
    fn newer_schemas_and_missing_keys_are_refused() {
        let (key, other) = (FernetKey::generate(), FernetKey::generate());
        let (known, unknown) = (key.fingerprint(), other.fingerprint());
        let ring = KeyRing::new(vec![key]).expect("a ring");

        assert_eq!(manifest(newest_schema(), vec![known.clone()]).check(&ring), Ok(()));
        let newer = manifest(newest_schema() + 1, vec![known]).check(&ring).expect_err("newer");
        assert!(newer.contains("newer than this program's"), "OPS-05 {newer}");
        let missing = manifest(1, vec![unknown.clone()]).check(&ring).expect_err("a key is missing");
        assert!(missing.contains(&unknown), "ENC-06 {missing}");
    }

    #[test]
    fn the_manifest_stands_beside_the_dump() {
        assert_eq!(beside(Path::new("/backups/monday.dump")), Path::new("/backups/monday.dump.json"));
    }
}
