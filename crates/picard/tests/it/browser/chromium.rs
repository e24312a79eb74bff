//! The processes: chromedriver on a free port and the Chromium that it starts, both gone at the end.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// Nothing that asks the network, the screen or the sandbox of an ordinary desktop.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
];

/// Where a browser and its driver are.
pub(crate) struct Programs {
    pub(super) chromium: PathBuf,
    pub(super) chromedriver: PathBuf,
}

impl Programs {
    /// Looks for them; when they are not there, one line tells the person.
    pub(crate) fn installed() -> Option<Self> {
        let found = on_path("chromium").zip(on_path("chromedriver"));
        if found.is_none() {
            // Not `eprintln!`: the harness would keep the line to itself.
            let line = "left out: chromium and chromedriver are not installed";
            writeln!(stderr(), "{line}").expect("a line on standard error");
        }
        found.map(|(chromium, chromedriver)| Self { chromium, chromedriver })
    }
}

#[expect(clippy::disallowed_methods, reason = "what is installed is told by the PATH alone")]
fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A chromedriver and its Chromium, which end with this, also when a test fails.
pub(super) struct Processes {
    driver: Child,
    port: u16,
    home: TempDir,
    /// Kept open: a driver that cannot write its output ends.
    output: BufReader<ChildStdout>,
}

impl Processes {
    /// Starts the driver; it chooses the port itself, so that tests side by side do not take each other's.
    pub(super) fn start(chromedriver: &Path) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .envs(["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, home.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs");
        let output = BufReader::new(driver.stdout.take().expect("its standard output"));
        let mut processes = Self { driver, port: 0, home, output };
        processes.port = processes.announced_port();
        processes
    }

    fn announced_port(&mut self) -> u16 {
        let mut lines = (&mut self.output).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        port.expect("chromedriver says its port")
    }

    /// Starts Chromium with a profile of its own.
    pub(super) async fn open_session(&self, chromium: &Path) -> Client {
        let profile = self.home.path().join("profile");
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "binary": chromium, "args": flags });
        let logs = json!({ "browser": "ALL" });
        let wanted = [("goog:chromeOptions".to_owned(), options), ("goog:loggingPrefs".to_owned(), logs)];
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted.into_iter().collect());
        builder.connect(&format!("http://127.0.0.1:{}", self.port)).await.expect("Chromium starts")
    }
}

/// What chromedriver understands and WebDriver does not know.
#[derive(Debug)]
pub(super) enum ChromiumCommand {
    /// What the console has said since the last time.
    Log,
    /// A command of Chromium's own protocol and its parameters.
    DevTools(&'static str, Value),
}

impl WebDriverCompatibleCommand for ChromiumCommand {
    fn endpoint(&self, driver: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let command = match self {
            Self::Log => "se/log",
            Self::DevTools(..) => "goog/cdp/execute",
        };
        driver.join(&format!("session/{}/{command}", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = match self {
            Self::Log => json!({ "type": "browser" }),
            Self::DevTools(name, parameters) => json!({ "cmd": name, "params": parameters }),
        };
        (Method::POST, Some(body.to_string()))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // Whoever is alive may write into the folder after it was removed.
        for _ in 0..100 {
            let alive = with_argument(self.home.path());
            if alive.is_empty() {
                return;
            }
            for process in alive {
                let _ = kill_process(process, Signal::KILL);
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Chromium's processes: the folder, which nobody else has, is in all their arguments.
fn with_argument(folder: &Path) -> Vec<Pid> {
    let folder = folder.to_string_lossy();
    let all = fs::read_dir("/proc").expect("the processes").flatten();
    all.filter_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let is_ours = String::from_utf8_lossy(&arguments).contains(&*folder);
        Pid::from_raw(process).filter(|_| is_ours)
    })
    .collect()
}
