//! Under which user PostgreSQL runs: it refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Installation;
use crate::child;
use crate::problem::Problem;

/// The identity that PostgreSQL's programs get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// The user who runs picard.
    Current,
    /// Another user; only root can do this.
    User {
        /// The user's id.
        uid: u32,
        /// The user's group.
        gid: u32,
    },
    /// Root's own files, seen from a user namespace in which root is this ordinary user.
    Namespace {
        /// An ordinary user's id that has an entry in the password file, which initdb asks for.
        uid: u32,
    },
}

impl RunAs {
    /// Whether picard itself runs as root.
    pub fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// The user and group to whom PostgreSQL's files must belong, when it is not the one who creates them.
    pub fn owner(&self) -> Option<(u32, u32)> {
        match self {
            Self::User { uid, gid } => Some((*uid, *gid)),
            Self::Current | Self::Namespace { .. } => None,
        }
    }

    /// A command that runs a program of PostgreSQL under this identity, with a clean environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Namespace { uid } => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--user", &format!("--map-user={uid}"), &format!("--map-group={uid}"), "--"]);
                unshare.arg(program);
                unshare
            }
            Self::Current | Self::User { .. } => Command::new(program),
        };
        if let Self::User { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        // PGDATA, PGPORT and their kin would lead it to another cluster. The working folder may be closed to it.
        command.env_clear().env("PATH", SYSTEM_PATH).env("LC_ALL", "C").current_dir("/");
        command
    }

    /// Whether this identity can enter the folder and run the installation.
    pub async fn can_use(&self, installation: &Installation, folder: &Path) -> bool {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", r#"cd "$1" && exec "$2" --version"#, "sh"]);
        command.arg(folder).arg(installation.program("postgres"));
        child::answer(command).await.is_some()
    }
}

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One line of the password file.
struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

fn accounts() -> Vec<Account> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { name, uid, gid })
    };
    text.lines().filter_map(account).collect()
}

/// What root may choose from, the best first: a user of its own, then a user namespace.
pub fn choices_of_root() -> Vec<RunAs> {
    let accounts = accounts();
    let user = |name: &str| accounts.iter().find(|account| account.name == name && account.uid != 0);
    let users = ["postgres", "nobody"].into_iter().filter_map(user);
    let mut choices: Vec<RunAs> = users.map(|user| RunAs::User { uid: user.uid, gid: user.gid }).collect();
    choices.extend(namespace());
    choices
}

/// The user namespace: Linux only, and only where some ordinary user has an entry in the password file.
pub fn namespace() -> Option<RunAs> {
    let accounts = accounts();
    let ordinary = accounts.iter().find(|account| account.uid == 1000);
    let any = ordinary.or_else(|| accounts.iter().find(|account| account.uid != 0));
    any.filter(|_| cfg!(target_os = "linux")).map(|account| RunAs::Namespace { uid: account.uid })
}

/// Whose the cluster in this folder is, if there is one.
pub fn owner_of(folder: &Path) -> Option<(u32, u32)> {
    let metadata = fs::metadata(folder).ok()?;
    Some((metadata.uid(), metadata.gid()))
}

/// Fails when this user has no entry in the password file, which initdb refuses without saying what to do.
pub fn check_password_entry() -> Result<(), Problem> {
    let uid = rustix::process::geteuid().as_raw();
    let is_listed = accounts().iter().any(|account| account.uid == uid);
    // macOS keeps its accounts elsewhere, and so do directories of whole organisations: only a missing file proves nothing.
    if is_listed || !PathBuf::from("/etc/passwd").is_file() || !cfg!(target_os = "linux") {
        return Ok(());
    }
    Err(Problem::new(format!("user id {uid} has no entry in the password file, and PostgreSQL refuses to run without one"))
        .advice(format!("add one as root (`useradd --uid {uid} picard`), or run picard as a user that has one")))
}
