//! Configuration: one struct, read once; a field's comment is its `--help` line.

use std::fmt;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use picard_crypto::{ExposeSecret, KeyRing, SecretString};
use url::Url;

use crate::address::networks;
use crate::server_client::ClientCredentials;

/// Passwords that stand in examples.
const EXAMPLE_PASSWORDS: [&str; 4] = ["password", "changeme", "postgres", "secret"];

/// Everything that can be set, from flags, the environment or an env file.
#[derive(Debug, Clone, Parser)]
#[command(name = "picard-web", args_override_self = true)]
pub struct Config {
    /// The application's own PostgreSQL database, `postgres://…`
    #[arg(long, env = "WEB_DATABASE_URL", global = true, hide_env_values = true, value_parser = secret)]
    pub web_database_url: Option<SecretString>,

    /// Address and port to listen on
    #[arg(long, env = "WEB_ADDR", global = true, default_value = "127.0.0.1:8000")]
    pub web_addr: String,

    /// For how many seconds an application that was told to stop goes on taking requests and says at /health/readiness
    /// that it is not ready, so that a balancer sends no more; 5 in production and 0 in development if not given
    #[arg(long, env = "DRAIN_SECONDS", global = true, value_parser = clap::value_parser!(u64).range(..=300))]
    pub drain_seconds: Option<u64>,

    /// Where browsers reach the application; `http://` and the bound address if not given
    #[arg(long, env = "WEB_PUBLIC_URL", global = true)]
    pub web_public_url: Option<String>,

    /// Addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-For header is believed, with commas between
    #[arg(long, env = "TRUSTED_PROXIES", global = true, value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,

    /// Where the application reaches the Picard server
    #[arg(long, env = "SERVER_URL", global = true, default_value = "http://127.0.0.1:8001")]
    pub server_url: String,

    /// Where browsers reach the Picard server, if that is another address: its PUBLIC_URL
    #[arg(long, env = "SERVER_PUBLIC_URL", global = true)]
    pub server_public_url: Option<String>,

    /// Client id that `register-client` got from the server
    #[arg(long, env = "CLIENT_ID", global = true)]
    pub client_id: Option<String>,

    /// Client secret that `register-client` got from the server
    #[arg(long, env = "CLIENT_SECRET", global = true, hide_env_values = true, value_parser = secret)]
    pub client_secret: Option<SecretString>,

    /// Fernet keys for tokens at rest, separated by commas, newest first
    #[arg(long, env = "WEB_ENCRYPTION_KEYS", global = true, hide_env_values = true, value_parser = secret)]
    pub web_encryption_keys: Option<SecretString>,

    /// In production, unsafe settings refuse to start
    #[arg(long, env = "ENVIRONMENT", global = true, value_enum, default_value = "development")]
    pub environment: Environment,

    /// Format of the log
    #[arg(long, env = "LOG_FORMAT", global = true, value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// What is logged, by level and target: `info,sqlx=warn`
    #[arg(
        long,
        env = "RUST_LOG",
        global = true,
        default_value = "info,tower_sessions=error,tower_sessions_core=off,sqlx::postgres::notice=warn"
    )]
    pub rust_log: String,
}

/// Where the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// On somebody's own machine: plain HTTP is fine.
    Development,
    /// For others: HTTPS and real secrets only.
    Production,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading in a terminal.
    Text,
}

/// Everything that is wrong with a configuration: names of variables and reasons, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(Vec<String>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the configuration cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  - {problem}"))
    }
}

/// A configuration that was found usable.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database_url: SecretString,
    pub(crate) address: String,
    pub(crate) public_url: Option<String>,
    pub(crate) server_url: String,
    pub(crate) server_public_url: String,
    pub(crate) client: Option<ClientCredentials>,
    pub(crate) keys: KeyRing,
    /// Whose word on other addresses is believed.
    pub(crate) proxies: Vec<IpNet>,
    /// For how long a balancer is given to notice that the application will stop.
    pub(crate) drain: Duration,
}

fn secret(value: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(value))
}

/// Takes a variable that is set to nothing for one that is not set, as env files have them.
fn given(value: Option<&SecretString>) -> Option<&SecretString> {
    value.filter(|value| !value.expose_secret().trim().is_empty())
}

impl Config {
    /// Checks everything and reports all problems at once.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigProblems> {
        let mut problems = Vec::new();
        let database_url = self.database_url(&mut problems);
        let public_url = self.public_url(&mut problems);
        let server_url = keep(origin_and_path("SERVER_URL", &self.server_url), &mut problems);
        let server_public_url = self.server_public_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let server_public_url = server_public_url.unwrap_or(&self.server_url);
        let server_public_url = keep(origin_and_path("SERVER_PUBLIC_URL", server_public_url), &mut problems).unwrap_or_default();
        if self.is_production() && !server_public_url.is_empty() && !server_public_url.starts_with("https://") {
            problems
                .push("SERVER_PUBLIC_URL is not an https address, which production requires of the server's PUBLIC_URL".into());
        }
        let client = self.client(&mut problems);
        let keys = keep(self.keys(), &mut problems);
        let proxies = keep(self.proxies(), &mut problems).unwrap_or_default();
        match (database_url, server_url, keys) {
            (Some(database_url), Some(server_url), Some(keys)) if problems.is_empty() => Ok(Settings {
                database_url,
                address: self.web_addr.clone(),
                public_url,
                server_url,
                server_public_url,
                client,
                keys,
                proxies,
                drain: self.drain(),
            }),
            _ => Err(ConfigProblems(problems)),
        }
    }

    /// Where the application will be reached, as far as that is known before it listens.
    pub(crate) fn expected_public_url(&self) -> Result<String, ConfigProblems> {
        let mut problems = Vec::new();
        let url = self.public_url(&mut problems);
        if problems.is_empty() {
            Ok(url.unwrap_or_else(|| format!("http://{}", self.web_addr)))
        } else {
            Err(ConfigProblems(problems))
        }
    }

    fn drain(&self) -> Duration {
        let default = if self.is_production() { 5 } else { 0 };
        Duration::from_secs(self.drain_seconds.unwrap_or(default))
    }

    fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    fn database_url(&self, problems: &mut Vec<String>) -> Option<SecretString> {
        let Some(url) = given(self.web_database_url.as_ref()) else {
            problems.push("WEB_DATABASE_URL is not set; it names the application's own PostgreSQL database".into());
            return None;
        };
        let password = Url::parse(url.expose_secret()).ok().and_then(|url| url.password().map(str::to_lowercase));
        if self.is_production() && password.is_some_and(|password| EXAMPLE_PASSWORDS.contains(&password.as_str())) {
            problems.push("WEB_DATABASE_URL has the password of an example; give the role one of its own".into());
        }
        Some(url.clone())
    }

    fn public_url(&self, problems: &mut Vec<String>) -> Option<String> {
        let given = self.web_public_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let Some(given) = given else {
            if self.is_production() {
                problems.push("WEB_PUBLIC_URL is not set; production needs the https address of the application".into());
            }
            return None;
        };
        let url = keep(origin_only("WEB_PUBLIC_URL", given), problems)?;
        if self.is_production() && !url.starts_with("https://") {
            problems.push("WEB_PUBLIC_URL is not an https address, which production requires".into());
        }
        Some(url)
    }

    fn client(&self, problems: &mut Vec<String>) -> Option<ClientCredentials> {
        let id = self.client_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let secret = given(self.client_secret.as_ref());
        if self.is_production() && secret.is_some_and(|secret| secret.expose_secret().len() < 32) {
            problems.push("CLIENT_SECRET is shorter than 32 characters".into());
        }
        match (id, secret) {
            (Some(id), Some(secret)) => return Some(ClientCredentials::new(id, secret.clone())),
            (Some(_), None) => problems.push("CLIENT_SECRET is not set although CLIENT_ID is".into()),
            (None, Some(_)) => problems.push("CLIENT_ID is not set although CLIENT_SECRET is".into()),
            (None, None) => {}
        }
        None
    }

    fn proxies(&self) -> Result<Vec<IpNet>, String> {
        networks(&self.trusted_proxies)
            .map_err(|entry| format!("TRUSTED_PROXIES: {entry} is no address and no network such as 10.0.0.0/8"))
    }

    fn keys(&self) -> Result<KeyRing, String> {
        let Some(keys) = given(self.web_encryption_keys.as_ref()) else {
            return Err("WEB_ENCRYPTION_KEYS is not set; make a key with `openssl rand -base64 32 | tr '+/' '-_'`".into());
        };
        let is_trivial = |key: &str| {
            let mut characters = key.trim().trim_end_matches('=').chars();
            let first = characters.next();
            characters.all(|character| Some(character) == first)
        };
        if keys.expose_secret().split(',').any(is_trivial) {
            return Err("WEB_ENCRYPTION_KEYS holds a key that anybody could guess".into());
        }
        let ring = KeyRing::parse(keys.expose_secret())
            .map_err(|_| "WEB_ENCRYPTION_KEYS is not a list of Fernet keys (base64url of 32 random bytes each)".to_owned())?;
        let doubts: Vec<String> = ring.doubts().iter().map(ToString::to_string).collect();
        if self.is_production() && !doubts.is_empty() {
            let doubts = doubts.join("; ");
            return Err(format!("WEB_ENCRYPTION_KEYS: {doubts}; make keys from 32 random bytes and list each once"));
        }
        Ok(ring)
    }
}

fn keep<T>(result: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn origin_and_path(name: &str, value: &str) -> Result<String, String> {
    let url = Url::parse(value.trim()).map_err(|_| format!("{name} is not an address like https://example.org"))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if is_http && is_plain && url.has_host() {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(format!("{name} is not a plain http or https address"))
    }
}

fn origin_only(name: &str, value: &str) -> Result<String, String> {
    let url = origin_and_path(name, value)?;
    match Url::parse(&url) {
        Ok(parsed) if parsed.path() == "/" => Ok(url),
        _ => Err(format!("{name} has a path; the application lives at the root of its host")),
    }
}
