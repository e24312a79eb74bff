//! A PostgreSQL of a test's own, which can be killed, started again and copied. It is made with the programs of the
//! server that all tests use.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Runs until it is dropped.
pub struct Postgres {
    bin: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

/// The folder of PostgreSQL's programs on this machine; `None`, and a line that says so, when the tests' server is
/// another machine.
pub async fn pg_bin() -> Option<PathBuf> {
    let mut connection = PgConnection::connect(&cluster_url()).await.expect("the tests' PostgreSQL");
    let asked = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetch_one(&mut connection).await;
    let folder = asked.ok().map(|folder: String| PathBuf::from(folder)).filter(|folder| folder.join("pg_basebackup").is_file());
    if folder.is_none() {
        eprintln!("left out: the programs of the tests' PostgreSQL are not on this machine");
    }
    folder
}

#[expect(clippy::disallowed_methods, reason = "sqlx::test reads the same variable")]
fn cluster_url() -> String {
    std::env::var("DATABASE_URL").expect("DATABASE_URL names the cluster for tests")
}

impl Postgres {
    /// A running server with an empty database `picard`.
    pub async fn create() -> Option<Self> {
        Self::create_in(tempfile::tempdir().expect("a folder")).await
    }

    /// The same with its files in a folder that is there.
    pub async fn create_in(folder: TempDir) -> Option<Self> {
        let mut server = Self::at(pg_bin().await?, folder);
        let mut initdb = server.program("initdb").await;
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"]).arg(server.data());
        succeed(initdb).await;
        server.start().await;
        let mut connection = PgConnection::connect(&server.url("postgres")).await.expect("a connection");
        sqlx::raw_sql("CREATE DATABASE picard").execute(&mut connection).await.expect("a database");
        Some(server)
    }

    /// A running copy that follows this one.
    pub async fn standby(&self) -> Self {
        let mut standby = Self::at(self.bin.clone(), tempfile::tempdir().expect("a folder"));
        let mut copy = Command::new(self.bin.join("pg_basebackup"));
        copy.args(["--host=127.0.0.1", "--username=postgres", "--checkpoint=fast", "--no-sync", "--write-recovery-conf"]);
        copy.arg(format!("--port={}", self.port)).arg("--pgdata").arg(standby.data());
        succeed(copy).await;
        standby.start().await;
        standby
    }

    fn at(bin: PathBuf, folder: TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        Self { bin, folder, port, child: None }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// PostgreSQL refuses to run as root: there it runs in a user namespace in which root is somebody else.
    async fn program(&self, name: &str) -> Command {
        let id = Command::new("id").arg("-u").output().await.expect("id");
        let path = self.bin.join(name);
        let mut command = if id.stdout == b"0\n" {
            let user = ordinary_user();
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", &format!("--map-user={user}"), &format!("--map-group={user}"), "--"]).arg(path);
            unshare
        } else {
            Command::new(path)
        };
        command.env("LC_ALL", "C").current_dir("/").kill_on_drop(true);
        command
    }

    /// Starts it and waits until it answers. After a kill its last processes may need a moment to end.
    pub async fn start(&mut self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            if self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))) {
                self.child = Some(self.launch().await);
            }
            if let Ok(connection) = PgConnection::connect(&self.url("postgres")).await {
                connection.close().await.expect("an end");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("PostgreSQL does not start: {}", std::fs::read_to_string(self.log()).unwrap_or_default());
    }

    async fn launch(&self) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut command = self.program("postgres").await;
        command.arg("-D").arg(self.data()).args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        command.args(["-c", "max_connections=200", "-c", "max_parallel_maintenance_workers=0"]);
        command.arg("-c").arg(format!("port={}", self.port));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("PostgreSQL")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Ends it at once and without any order.
    pub async fn kill(&mut self) {
        self.signal("QUIT").await;
    }

    /// Sends its main process a signal that ends it, and waits until it has.
    pub async fn signal(&mut self, name: &str) {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill");
        assert!(sent.success());
        child.wait().await.expect("its end");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The main process takes its others along only when it is asked to end.
        if let Some(id) = self.child.as_ref().and_then(Child::id) {
            let _ = std::process::Command::new("kill").args(["-s", "QUIT", &id.to_string()]).status();
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

async fn succeed(mut command: Command) {
    let output = command.output().await.expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An ordinary user's id with an entry in the password file, which initdb asks for.
fn ordinary_user() -> u32 {
    let accounts = std::fs::read_to_string(Path::new("/etc/passwd")).expect("the password file");
    let ids = accounts.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok());
    let mut ids: Vec<u32> = ids.filter(|id| *id != 0).collect();
    ids.sort_by_key(|id| *id != 1000);
    *ids.first().expect("an ordinary user")
}
