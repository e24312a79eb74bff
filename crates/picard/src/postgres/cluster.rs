//! A private PostgreSQL: started on a free loopback port, stopped with the value that stands for it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::adopt::adopt;
use super::run_as::RunAs;
use super::{Installation, SUPERUSER, create, leftover};
use crate::child;
use crate::files;
use crate::problem::{Problem, disk_full};

/// What a cluster is for, which decides how careful it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person's data: nothing that was confirmed may be lost.
    Durable,
    /// Tests: fast, and gone afterwards.
    ThrowAway,
}

/// What is needed to start a cluster.
pub struct Plan {
    /// The folder in which the cluster gets a folder of its own, and its log.
    pub data_dir: PathBuf,
    /// What it is for.
    pub purpose: Purpose,
    /// The superuser's password, set when the cluster is made.
    pub password: String,
    /// The port of the last start, taken again when it is free.
    pub last_port: Option<u16>,
}

impl Plan {
    /// The folder of the cluster itself.
    pub fn cluster_folder(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }
}

/// A running PostgreSQL of ours. Dropping it stops it.
pub struct Cluster {
    server: Child,
    port: u16,
    password: String,
}

impl Cluster {
    /// Starts the cluster, and makes it first when there is none.
    pub async fn start(plan: &Plan, installation: Installation) -> Result<Self, Problem> {
        let folder = plan.cluster_folder();
        leftover::clear(&folder).await?;
        let (run_as, installation) = adopt(installation, &plan.data_dir, &folder).await?;
        if !folder.join("PG_VERSION").is_file() {
            create::create(&run_as, &installation, &folder, plan.purpose, &plan.password).await?;
        }
        let mut port = plan.last_port;
        for _ in 0..5 {
            let chosen = free_port(port.take())?;
            let log = Log::open(&plan.data_dir)?;
            let server = launch(&run_as, &installation, plan, (chosen, &log))?;
            // From here on a failure or a cancelled start stops it again.
            let mut cluster = Self { server, port: chosen, password: plan.password.clone() };
            match cluster.until_ready(&folder, &log).await? {
                Readiness::Ready => return Ok(cluster),
                Readiness::PortTaken => {}
            }
        }
        Err(Problem::new("PostgreSQL found no free port on 127.0.0.1").advice("see which programs listen there (`ss -ltn`)"))
    }

    /// The URL of a database as the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, &self.password, database)
    }

    /// The URL of a database as another role.
    pub fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, on 127.0.0.1 only.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns when PostgreSQL has ended by itself.
    pub async fn wait(&mut self) {
        while matches!(self.server.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn until_ready(&mut self, folder: &Path, log: &Log) -> Result<Readiness, Problem> {
        let start = Instant::now();
        let mut is_told = false;
        loop {
            if let Ok(Some(_)) = self.server.try_wait() {
                return log.explain_end();
            }
            if says_ready(folder, self.server.id()) {
                return Ok(Readiness::Ready);
            }
            if !is_told && start.elapsed() > Duration::from_secs(5) {
                eprintln!("picard: PostgreSQL is still getting ready (after a crash it first repairs its files)");
                is_told = true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks PostgreSQL to end at once and in order; harder when it does not.
    fn stop(&mut self) {
        for (signal, seconds) in [(Signal::INT, 30), (Signal::QUIT, 5), (Signal::KILL, 5)] {
            if !matches!(self.server.try_wait(), Ok(None)) {
                return;
            }
            let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) else {
                return;
            };
            // An error means that it has just ended.
            let _ = kill_process(pid, signal);
            let deadline = Instant::now() + Duration::from_secs(seconds);
            while Instant::now() < deadline && matches!(self.server.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Readiness {
    Ready,
    PortTaken,
}

/// PostgreSQL writes its state into the last line of `postmaster.pid`, and its process id into the first.
fn says_ready(folder: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(folder.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next().is_some_and(|line| line.trim() == pid.to_string()) && lines.last().is_some_and(|line| line.trim() == "ready")
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
pub fn free_port(preferred: Option<u16>) -> Result<u16, Problem> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match preferred.map(bind) {
        Some(Ok(listener)) => Ok(listener),
        _ => bind(0),
    };
    let port = listener.and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.map_err(|error| Problem::from_error("find a free port on 127.0.0.1", &error))
}

fn launch(run_as: &RunAs, installation: &Installation, plan: &Plan, (port, log): (u16, &Log)) -> Result<Child, Problem> {
    let program = installation.program("postgres");
    let mut command = run_as.command(&program);
    command.arg("-D").arg(plan.cluster_folder());
    configure(&mut command, plan.purpose, port);
    command.stdin(Stdio::null()).stdout(log.handle()?).stderr(log.handle()?);
    // Ctrl-C in a terminal goes to the whole group: PostgreSQL must outlive the programs that use it.
    command.process_group(0);
    command.spawn().map_err(|error| Problem::file("run", &program, &error))
}

fn configure(command: &mut Command, purpose: Purpose, port: u16) {
    let mut set = |setting: &str| {
        command.args(["-c", setting]);
    };
    set("listen_addresses=127.0.0.1");
    set(&format!("port={port}"));
    set("unix_socket_directories=");
    set("timezone=UTC");
    set("log_timezone=UTC");
    // A parallel index build takes shared memory that containers do not have by default.
    set("max_parallel_maintenance_workers=0");
    match purpose {
        Purpose::Durable => {
            set("fsync=on");
            set("synchronous_commit=on");
            set("max_connections=100");
        }
        Purpose::ThrowAway => {
            set("fsync=off");
            set("synchronous_commit=off");
            set("full_page_writes=off");
            set("max_connections=300");
        }
    }
}

/// PostgreSQL's log, and where in it this start begins.
struct Log {
    path: PathBuf,
    file: File,
    start: usize,
}

/// Beyond this length the log of earlier starts is put aside; one such is kept.
const LONG_LOG: u64 = 10 << 20;

impl Log {
    fn open(data_dir: &Path) -> Result<Self, Problem> {
        let path = data_dir.join("postgres.log");
        let explain = |error: io::Error| Problem::file("write", &path, &error);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LONG_LOG) {
            fs::rename(&path, data_dir.join("postgres.log.1")).map_err(explain)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(explain)?;
        files::share_owner(&path).map_err(explain)?;
        let length = file.metadata().map_err(explain)?.len();
        let start = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self { path, file, start })
    }

    fn handle(&self) -> Result<Stdio, Problem> {
        self.file.try_clone().map(Stdio::from).map_err(|error| Problem::file("write", &self.path, &error))
    }

    /// Explains why PostgreSQL ended during its start.
    fn explain_end(&self) -> Result<Readiness, Problem> {
        let log = fs::read(&self.path).unwrap_or_default();
        let said = String::from_utf8_lossy(log.get(self.start..).unwrap_or_default()).into_owned();
        if said.contains("Address already in use") {
            return Ok(Readiness::PortTaken);
        }
        let problem = Problem::new(format!("PostgreSQL did not start; it says:{}", child::last_lines(&said)));
        Err(if let Some(remedy) = disk_full(&said) {
            problem.advice(remedy)
        } else if said.contains("ermission denied") {
            problem.advice("the data folder must belong to one user: `chown -R` it to the user who runs picard")
        } else {
            problem.advice(format!("the whole log is in {}", self.path.display()))
        })
    }
}
