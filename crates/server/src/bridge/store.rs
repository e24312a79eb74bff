//! The file with a person's tokens for one server.
//!
//! Several clients may run a bridge each, and a refresh token can be used only once: whoever changes the file holds its
//! lock from before reading it until after writing it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use picard_crypto::StreamHash;
use serde::{Deserialize, Serialize};
use url::Url;

/// How often a lock is tried that another bridge holds, which may wait for its person to sign in.
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// What is kept. There is no way to print it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The address of the MCP endpoint, for people who look into the file.
    pub(super) url: String,
    /// The resource that the tokens are for, as the server calls it.
    pub(super) resource: String,
    /// The authorization server; everything below is worth nothing at another.
    pub(super) issuer: String,
    /// Where it takes refresh tokens.
    pub(super) token_endpoint: String,
    /// As what the bridge is registered there.
    pub(super) client_id: String,
    /// The port that it registered to listen at.
    pub(super) port: u16,
    /// What the token allows.
    pub(super) scope: String,
    /// The access token.
    pub(super) access_token: String,
    /// The refresh token, which can be used once.
    pub(super) refresh_token: Option<String>,
}

/// Where one server's tokens are kept.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
    name: String,
}

/// A lock that ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// The folder for tokens below where this person's programs keep their settings.
pub(super) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // The XDG Base Directory Specification wants relative paths to be ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let settings = if cfg!(windows) {
        absolute("APPDATA")
    } else {
        absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
    };
    settings.map(|settings| settings.join("picard").join("mcp"))
}

impl Store {
    /// The store for the server at this address.
    pub(super) fn new(folder: PathBuf, url: &Url) -> Self {
        let mut hash = StreamHash::default();
        hash.update(url.as_str().as_bytes());
        Self { folder, name: hash.finish() }
    }

    /// What is kept. A file that is broken counts as none: signing in replaces it.
    pub(super) fn read(&self) -> Option<Stored> {
        let path = self.path("json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, path = %path.display(), "The token file cannot be read.");
                }
                return None;
            }
        };
        serde_json::from_slice(&text).inspect_err(|_| tracing::warn!(path = %path.display(), "The token file is broken.")).ok()
    }

    /// Replaces what is kept at once: a reader or a kill finds the old or the new file, never a part. The caller holds
    /// the lock.
    pub(super) fn write(&self, stored: &Stored, _lock: &Lock) -> Result<(), String> {
        let (path, beside) = (self.path("json"), self.path("new"));
        let explain = |error: io::Error| format!("the token file {} cannot be written: {error}", path.display());
        let text = serde_json::to_vec_pretty(stored).map_err(|error| explain(error.into()))?;
        // What a kill has left behind; it may be anybody's to read.
        let _ = fs::remove_file(&beside);
        let written = private()
            .create_new(true)
            .open(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path));
        written.map_err(|error| {
            // What is left of it is of no use, and a second failure would only hide the first.
            let _ = fs::remove_file(&beside);
            explain(error)
        })
    }

    /// Waits until no other bridge changes what is kept.
    pub(super) async fn lock(&self) -> Result<Lock, String> {
        let path = self.path("lock");
        let explain = |error: io::Error| format!("the token file cannot be locked with {}: {error}", path.display());
        create_private(&self.folder).map_err(explain)?;
        let file = private().create(true).truncate(false).open(&path).map_err(explain)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(explain(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}

/// Files that nobody else may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Creates a folder that nobody else may look into, whatever it was before.
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Something to keep.
    pub(in crate::bridge) fn stored(access_token: &str) -> Stored {
        Stored {
            url: "https://a.example/mcp".to_owned(),
            resource: "https://a.example/mcp".to_owned(),
            issuer: "https://a.example".to_owned(),
            token_endpoint: "https://a.example/token".to_owned(),
            client_id: "c-1".to_owned(),
            port: 51_004,
            scope: "memories:read".to_owned(),
            access_token: access_token.to_owned(),
            refresh_token: Some("r-1".to_owned()),
        }
    }

    fn store(folder: &Path) -> Store {
        Store::new(folder.join("picard").join("mcp"), &Url::parse("https://a.example/mcp").expect("an address"))
    }

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let home = tempfile::tempdir().expect("a folder");
        let store = store(home.path());
        assert!(store.read().is_none());

        let lock = store.lock().await.expect("the lock");
        for token in ["t-1", "t-2"] {
            store.write(&stored(token), &lock).expect("written");
            assert!(store.read().is_some_and(|read| read == stored(token)));
        }

        fs::write(store.path("json"), "{").expect("written");
        assert!(store.read().is_none(), "a broken file counts as none");
        assert!(!store.path("new").exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().expect("a folder");
        let store = store(home.path());
        fs::create_dir_all(&store.folder).expect("a folder");
        fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::write(store.path("new"), "left behind").expect("written");

        let lock = store.lock().await.expect("the lock");
        store.write(&stored("t-1"), &lock).expect("written");

        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        assert_eq!((mode(&store.folder), mode(&store.path("json")), mode(&store.path("lock"))), (0o700, 0o600, 0o600));
    }

    #[tokio::test]
    async fn only_one_holds_the_lock() {
        let home = tempfile::tempdir().expect("a folder");
        let store = store(home.path());
        let lock = store.lock().await.expect("the lock");

        let short = Duration::from_millis(50);
        assert!(tokio::time::timeout(short, store.lock()).await.is_err());

        drop(lock);
        assert!(store.lock().await.is_ok());
    }

    #[test]
    fn each_server_has_a_file_of_its_own() {
        let name = |url: &str| Store::new(PathBuf::new(), &Url::parse(url).expect("an address")).name;

        assert_eq!(name("https://a.example/mcp").len(), 64);
        assert_ne!(name("https://a.example/mcp"), name("https://a.example:8443/mcp"));
    }

    #[cfg(unix)]
    #[test]
    fn it_is_kept_with_the_persons_settings() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            let variable = |name: &str| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            };
            folder(variable)
        };

        assert_eq!(folder(Some("/x"), Some("/h")), Some(PathBuf::from("/x/picard/mcp")));
        assert_eq!(folder(Some("relative"), Some("/h")), Some(PathBuf::from("/h/.config/picard/mcp")));
        assert_eq!(folder(None, None), None);
    }
}
