//! What an operator can set. A field's comment is its `--help` line and the only place where it is explained.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use ipnet::IpNet;
use picard_app::DocumentHosts;
use picard_crypto::{ExposeSecret, KeyRing, SecretString};
use picard_storage::DatabaseSettings;

use crate::llm::{LlmConfig, llm};
use crate::{StartError, embedder};

/// Passwords that stand in examples and are tried first.
const EXAMPLE_PASSWORDS: [&str; 4] = ["password", "changeme", "postgres", "secret"];

/// The server's settings.
#[derive(Debug, Clone, Parser)]
#[command(name = "picard-server", version)]
pub struct Config {
    /// The server's PostgreSQL 15 or later with pgvector 0.8.4 or later: postgres://user:password@host:port/database
    // Nothing is a default, so that a missing one is told together with everything else (OPS-01).
    #[arg(long, env = "DATABASE_URL", default_value = "", hide_default_value = true, value_parser = secret, hide_env_values = true, allow_hyphen_values = true)]
    pub database_url: SecretString,

    /// The most connections to PostgreSQL that this process opens.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub database_max_connections: u32,

    /// A copy that streams from the database, for figures that take long to count; they are as fresh as without it.
    #[arg(long, env = "DATABASE_REPLICA_URL", value_parser = secret, hide_env_values = true, allow_hyphen_values = true)]
    pub database_replica_url: Option<SecretString>,

    /// How much memory, in MiB, may hold what people search who search often; 0: none. What is held is checked at each search.
    #[arg(long, env = "SEARCH_MEMORY_MIB", default_value_t = 48, value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub search_memory_mib: u32,

    /// Where to listen.
    #[arg(long, env = "SERVER_ADDR", default_value = "127.0.0.1:8001")]
    pub server_addr: SocketAddr,

    /// For how many seconds a server that was told to stop goes on taking requests and says at /health/readiness that it is not ready, so that a balancer sends no more; 5 in production and 0 in development if nothing is said.
    #[arg(long, env = "DRAIN_SECONDS", value_parser = clap::value_parser!(u64).range(..=300))]
    pub drain_seconds: Option<u64>,

    /// Where figures for Prometheus are (`/metrics`); off: nowhere.
    #[arg(long, env = "METRICS_ADDR", default_value = "127.0.0.1:9464", value_parser = address_or_off)]
    pub metrics_addr: MetricsAddress,

    /// The address that clients use, without a slash at the end: issuer and audience of tokens. Default: http:// and where it listens.
    #[arg(long, env = "PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Fernet keys (32 random bytes in base64url), newest first, with commas between: they open the data keys of all people.
    #[arg(long, env = "ENCRYPTION_KEYS", default_value = "", hide_default_value = true, value_parser = secret, hide_env_values = true, allow_hyphen_values = true)]
    pub encryption_keys: SecretString,

    /// In production the server refuses to start with what is only good enough for development.
    #[arg(long, env = "ENVIRONMENT", value_enum, default_value_t = Environment::Development)]
    pub environment: Environment,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// Which log lines are written, by level and target: `info,sqlx=warn`.
    #[arg(long, env = "RUST_LOG", default_value = "info,rmcp=warn,rmcp::service=error,sqlx=warn")]
    pub rust_log: String,

    /// Where traces go by OTLP over HTTP, without /v1/traces at its end: http://127.0.0.1:4318. Without it there are none.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// For how many seconds a used refresh token that comes back counts as a double click instead of a theft (0 to 60).
    #[arg(long, env = "REFRESH_LEEWAY_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=60))]
    pub refresh_leeway_seconds: u64,

    /// For how many milliseconds a write waits for its embedding before it is left to the worker.
    #[arg(long, env = "EMBEDDING_BUDGET_MS", default_value_t = 300)]
    pub embedding_budget_ms: u64,

    /// Further host names (with port, unless it is any) under which MCP clients reach the server, with commas between.
    #[arg(long, env = "ALLOWED_HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,

    /// Origins of web pages that may call the MCP endpoint and the token endpoint, with commas between.
    #[arg(long, env = "ALLOWED_ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,

    /// Whether MCP clients of the revisions up to 2025-11-25 get sessions.
    #[arg(long, env = "MCP_MODE", value_enum, default_value_t = McpModeName::Stateful)]
    pub mcp_mode: McpModeName,

    /// Whether people may make accounts for themselves: on or off.
    #[arg(long, env = "SIGNUP", default_value = "on", value_parser = switch, action = clap::ArgAction::Set)]
    pub signup: bool,

    /// Which clients may register themselves at /register: open (https and loopback redirect URIs), loopback (programs on the person's own machine), off.
    #[arg(long, env = "DYNAMIC_REGISTRATION", value_enum, default_value_t = DynamicRegistration::Open)]
    pub dynamic_registration: DynamicRegistration,

    /// Hosts whose client id metadata documents are read, with commas between; * for every host on the open internet. Without any, clients cannot be named by a document.
    #[arg(long, env = "CLIENT_METADATA_HOSTS", value_delimiter = ',')]
    pub client_metadata_hosts: Vec<String>,

    /// Addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-For header is believed, with commas between.
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,

    /// How many requests a minute one client may send from one address to /token, /register, the user-token flow and for sign-ups, each; 0: any number.
    #[arg(long, env = "TOKEN_LIMIT_PER_MINUTE", default_value_t = 60)]
    pub token_limit_per_minute: u32,

    /// How many tools a minute one person may call; 0: any number.
    #[arg(long, env = "TOOL_LIMIT_PER_MINUTE", default_value_t = 600)]
    pub tool_limit_per_minute: u32,

    /// How many tries to sign in may fail a minute, per account and address; 0: any number.
    #[arg(long, env = "SIGN_IN_LIMIT_PER_MINUTE", default_value_t = 10)]
    pub sign_in_limit_per_minute: u32,

    /// On how many people a figure of aggregate_memories has to rest at least.
    #[arg(long, env = "AGGREGATE_MIN_PEOPLE", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    pub aggregate_min_people: u32,

    /// How many questions a minute one person may ask personas; 0: any number.
    #[arg(long, env = "PERSONA_LIMIT_PER_MINUTE", default_value_t = 30)]
    pub persona_limit_per_minute: u32,

    /// How many questions a day one person may ask personas; 0: any number.
    #[arg(long, env = "PERSONA_LIMIT_PER_DAY", default_value_t = 1_000)]
    pub persona_limit_per_day: u32,

    /// Whether the owner of a persona is shown what was asked, besides who asked and when: on or off.
    #[arg(long, env = "PERSONA_LOG_QUESTIONS", default_value = "on", value_parser = switch, action = clap::ArgAction::Set)]
    pub persona_log_questions: bool,

    /// Whether /docs and /openapi.json tell everybody which operations there are: on or off.
    #[arg(long, env = "DOCS", default_value = "on", value_parser = switch, action = clap::ArgAction::Set)]
    pub docs: bool,

    #[command(flatten)]
    pub(crate) embedding: EmbeddingConfig,

    #[command(flatten)]
    pub(crate) llm: LlmConfig,
}

/// Where figures are served; `None`: nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsAddress(pub Option<SocketAddr>);

fn address_or_off(text: &str) -> Result<MetricsAddress, String> {
    match text {
        "off" => Ok(MetricsAddress(None)),
        _ => text
            .parse()
            .map(|address| MetricsAddress(Some(address)))
            .map_err(|_| "must be an address such as 127.0.0.1:9464, or off".to_owned()),
    }
}

/// Where embeddings come from.
#[derive(Debug, Clone, Args)]
pub(crate) struct EmbeddingConfig {
    /// The key of an OpenAI-compatible provider of embeddings; without it the local model is used.
    #[arg(long, env = "OPENAI_API_KEY", value_parser = secret, hide_env_values = true, allow_hyphen_values = true)]
    pub openai_api_key: Option<SecretString>,

    /// The provider's base URL.
    #[arg(long, env = "OPENAI_BASE_URL", default_value = "https://api.openai.com/v1")]
    pub openai_base_url: String,

    /// The provider's model.
    #[arg(long, env = "EMBEDDING_MODEL", default_value = "text-embedding-3-small")]
    pub embedding_model: String,

    /// How many numbers an embedding has; only needed for models that Picard does not know, or to ask for fewer.
    #[arg(long, env = "EMBEDDING_DIMENSIONS", value_parser = clap::value_parser!(u32).range(1..=3_900))]
    pub embedding_dimensions: Option<u32>,

    /// The folder of the local model all-MiniLM-L6-v2 (model.safetensors, tokenizer.json, config.json).
    #[arg(long, env = "EMBEDDING_MODEL_DIR")]
    pub embedding_model_dir: Option<PathBuf>,
}

/// Development or production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Everything on one machine.
    Development,
    /// People's data are at stake.
    Production,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One line of text, for people.
    Text,
}

/// How MCP clients of older revisions are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum McpModeName {
    /// With sessions.
    Stateful,
    /// Without.
    Stateless,
}

/// Which clients may register themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DynamicRegistration {
    /// Everybody.
    Open,
    /// Programs on the person's own machine.
    Loopback,
    /// Nobody.
    Off,
}

/// Reads a switch.
fn switch(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("must be on or off"),
    }
}

/// Takes a value that must never be printed, not even in an error.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for this form")]
pub(crate) fn secret(value: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(value.to_owned()))
}

impl Config {
    /// Everything that is wrong, by the variable's name and never with its value (OPS-01, ENC-06).
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.database_problem().map(str::to_owned).into_iter().collect();
        if let Err(error) = self.key_ring() {
            problems.push(error);
        }
        if self.embedding.openai_api_key.is_none() && self.embedding.embedding_model_dir.is_none() {
            problems.push(
                "EMBEDDING_MODEL_DIR: name the folder of the local model (`picard fetch` downloads it), or set OPENAI_API_KEY"
                    .to_owned(),
            );
        }
        if self.embedding.openai_api_key.is_some()
            && let Err(StartError::Config(more)) = embedder(self)
        {
            problems.extend(more);
        }
        if let Err(StartError::Config(more)) = llm(self) {
            problems.extend(more);
        }
        if let Err(entry) = self.proxies() {
            problems.push(format!("TRUSTED_PROXIES: {entry} is no address and no network such as 10.0.0.0/8"));
        }
        if let Some(url) = &self.public_url {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            if !is_web || url.ends_with('/') || url::Url::parse(url).is_err() {
                problems.push("PUBLIC_URL: must be an http or https URL without a slash at the end".to_owned());
            }
        }
        if self.environment == Environment::Production
            && !self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
        {
            problems.push("PUBLIC_URL: must be an https URL in production".to_owned());
        }
        if self.environment == Environment::Production {
            problems.extend(self.weak_secrets());
        }
        problems
    }

    fn database_problem(&self) -> Option<&'static str> {
        if self.database_url.expose_secret().trim().is_empty() {
            return Some("DATABASE_URL: is not set; name the database, as in postgres://user:password@host:5432/database");
        }
        let is_url = self.database().address().is_ok();
        (!is_url).then_some("DATABASE_URL: must be a URL such as postgres://user:password@host:5432/database")
    }

    /// Secrets that somebody can guess, by the variable's name and never with their values (OPS-01).
    pub(crate) fn weak_secrets(&self) -> Vec<String> {
        let doubts = self.key_ring().map(|ring| ring.doubts()).unwrap_or_default();
        let mut weak: Vec<String> = doubts
            .iter()
            .map(|doubt| format!("ENCRYPTION_KEYS: {doubt}; make keys from 32 random bytes and list each once"))
            .collect();
        let password = url::Url::parse(self.database_url.expose_secret()).ok().and_then(|url| url.password().map(str::to_owned));
        if password.is_some_and(|password| EXAMPLE_PASSWORDS.contains(&password.to_lowercase().as_str())) {
            weak.push("DATABASE_URL: the password is that of an example; give the role one of its own".to_owned());
        }
        weak
    }

    /// For how long a balancer is given to notice that the server will stop.
    pub(crate) fn drain(&self) -> Duration {
        let default = if self.environment == Environment::Production { 5 } else { 0 };
        Duration::from_secs(self.drain_seconds.unwrap_or(default))
    }

    /// How the database is reached.
    pub(crate) fn database(&self) -> DatabaseSettings {
        DatabaseSettings { url: self.database_url.clone(), max_connections: self.database_max_connections }
    }

    /// The copy of the database, if one is named: an empty variable names none.
    pub(crate) fn replica(&self) -> Option<&SecretString> {
        self.database_replica_url.as_ref().filter(|url| !url.expose_secret().trim().is_empty())
    }

    /// The networks whose word on other addresses is believed.
    pub(crate) fn proxies(&self) -> Result<Vec<IpNet>, &str> {
        let entries = self.trusted_proxies.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty());
        let network = |entry: &str| entry.parse::<IpNet>().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
        entries.map(|entry| network(entry).ok_or(entry)).collect()
    }

    /// The hosts whose metadata documents are read.
    pub(crate) fn document_hosts(&self) -> DocumentHosts {
        let hosts: Vec<String> =
            self.client_metadata_hosts.iter().map(|host| host.trim().to_owned()).filter(|host| !host.is_empty()).collect();
        match hosts.as_slice() {
            [] => DocumentHosts::None,
            hosts if hosts.iter().any(|host| host == "*") => DocumentHosts::Any,
            _ => DocumentHosts::Named(hosts),
        }
    }

    /// The keys that open the data keys.
    pub(crate) fn key_ring(&self) -> Result<KeyRing, String> {
        let keys = self.encryption_keys.expose_secret();
        if keys.trim().is_empty() {
            return Err("ENCRYPTION_KEYS: is not set; `openssl rand -base64 32` makes a key".to_owned());
        }
        KeyRing::parse(keys).map_err(|error| format!("ENCRYPTION_KEYS: {error}"))
    }
}
