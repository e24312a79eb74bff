//! The disk that holds the database is full for a while; it is a small one in memory, which only root can make.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;

const FAULT: &str = "FLT-14 disk of the database full";

/// A small disk, unmounted when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=300m,mode=0700", "tmpfs"]).arg(folder).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        for size in [1 << 20, 1 << 10, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// FLT-14: what cannot be stored is refused, and everything works again when there is room.
pub async fn full() -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path()) else {
        return Outcome::left_out(FAULT, "left out: no small disk can be mounted here");
    };
    let mut postgres = Postgres::create_in(folder).await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 8);
    load.until_success().await;
    disk.fill();
    tokio::time::sleep(Duration::from_secs(4)).await;
    std::fs::remove_file(disk.filler()).expect("room");
    postgres.start().await;
    let recovery = load.until_success().await;
    let written = load.end().await;
    let outcome = Outcome::of(FAULT, &server.database_url, &ada, written).await;
    // Its files are on the disk.
    drop(postgres);
    outcome.recovered(recovery, Duration::from_secs(5))
}
