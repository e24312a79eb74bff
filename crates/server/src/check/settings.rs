//! What can be said of the settings alone.

use std::net::{IpAddr, SocketAddr};

use picard_crypto::ExposeSecret as _;
use url::{Host, Url};

use super::Findings;
use crate::{Config, DynamicRegistration, Environment};

/// Settings by which a server starts are in [`Config::problems`]; what follows is stricter.
pub(super) fn examine(config: &Config, findings: &mut Findings) {
    for problem in config.problems() {
        findings.problem(problem);
    }
    examine_public_url(config, findings);
    examine_secrets(config, findings);
    examine_hosts(config, findings);
    examine_origins(config, findings);
    examine_exposure(config, findings);
    if let Some(endpoint) = config.otel_exporter_otlp_endpoint.as_deref().filter(|endpoint| !endpoint.trim().is_empty()) {
        if !Url::parse(endpoint.trim()).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            findings.problem("OTEL_EXPORTER_OTLP_ENDPOINT: must be an http or https URL such as http://127.0.0.1:4318");
        } else if is_open_to_others(endpoint) {
            findings.warning("OTEL_EXPORTER_OTLP_ENDPOINT: ids of people and memories travel readably over http");
        }
    }
    if config.embedding.openai_api_key.is_some() && is_open_to_others(&config.embedding.openai_base_url) {
        findings.weakness(config, "OPENAI_BASE_URL: must be an https URL; texts and the key travel readably over http");
    }
}

/// Whether what is sent to a URL crosses a network readably.
fn is_open_to_others(url: &str) -> bool {
    Url::parse(url.trim()).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // An address in a URL of PostgreSQL is taken for a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn examine_public_url(config: &Config, findings: &mut Findings) {
    let Some(text) = &config.public_url else {
        if !config.server_addr.ip().is_loopback() && config.environment == Environment::Development {
            findings.problem(
                "PUBLIC_URL: set it to the https URL that clients use; without it tokens name the address that is listened on",
            );
        }
        return;
    };
    let Ok(url) = Url::parse(text) else { return };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        findings.problem("PUBLIC_URL: must have no user, no query and no fragment");
    }
    // In production this has been said already.
    if config.environment == Environment::Development && is_open_to_others(text) {
        findings.problem("PUBLIC_URL: must be an https URL outside this machine; tokens travel readably over http");
    }
}

fn examine_secrets(config: &Config, findings: &mut Findings) {
    // In production a doubtful key and a password of the examples have been said already.
    if config.environment == Environment::Development {
        for problem in config.weak_secrets() {
            findings.warning(problem);
        }
    }
    let admits_everybody = |url: &Url| url.password().is_none() && !url.query_pairs().any(|(name, _)| name == "password");
    if let Ok(url) = Url::parse(config.database_url.expose_secret())
        && admits_everybody(&url)
        && url.host().is_some()
        && !is_loopback(&url)
    {
        findings.warning("DATABASE_URL: has no password; give the role one, unless a client certificate or PGPASSFILE stands in");
    }
}

fn examine_hosts(config: &Config, findings: &mut Findings) {
    for host in given(&config.allowed_hosts) {
        let is_host = Url::parse(&format!("http://{host}/"))
            .is_ok_and(|url| url.path() == "/" && url.username().is_empty() && url.query().is_none() && url.fragment().is_none());
        if !is_host || host.contains('/') || host.contains('*') {
            findings.problem(format!("ALLOWED_HOSTS: {host} is no host name with or without a port, such as example.org:8443"));
        }
    }
    if config.client_metadata_hosts.iter().any(|host| host.trim() == "*") {
        findings.warning("CLIENT_METADATA_HOSTS: with * strangers decide what the server reads; name the hosts instead");
    }
}

fn examine_origins(config: &Config, findings: &mut Findings) {
    for origin in given(&config.allowed_origins) {
        let parsed = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        // An origin is compared byte for byte with what browsers send.
        let is_origin = parsed.as_ref().is_some_and(|url| url.origin().ascii_serialization() == origin);
        if !is_origin {
            findings.problem(format!("ALLOWED_ORIGINS: {origin} is no origin such as https://app.example.org"));
        } else if is_open_to_others(origin) {
            findings
                .weakness(config, format!("ALLOWED_ORIGINS: {origin} must be https; anybody in between can change that page"));
        }
    }
}

fn given(entries: &[String]) -> impl Iterator<Item = &str> {
    entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty())
}

/// What strangers reach, and whose word is believed.
fn examine_exposure(config: &Config, findings: &mut Findings) {
    let is_everybody = |network: &ipnet::IpNet| network.prefix_len() == 0;
    let proxies = config.proxies().unwrap_or_default();
    if proxies.iter().any(is_everybody) {
        findings.weakness(config, "TRUSTED_PROXIES: everybody is believed to be a proxy; name the addresses of yours");
    }
    let is_https = config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    if is_https && proxies.is_empty() {
        findings.warning(
            "TRUSTED_PROXIES: whatever ends https in front of the server is not named, so all people share its address and its limits",
        );
    }
    if config.metrics_addr.0.is_some_and(|address: SocketAddr| !is_private(address.ip())) {
        findings
            .warning("METRICS_ADDR: figures are open to every network that reaches this machine; listen on 127.0.0.1, or off");
    }
    if config.environment == Environment::Production {
        let limits = [
            ("TOKEN_LIMIT_PER_MINUTE", config.token_limit_per_minute),
            ("TOOL_LIMIT_PER_MINUTE", config.tool_limit_per_minute),
            ("SIGN_IN_LIMIT_PER_MINUTE", config.sign_in_limit_per_minute),
        ];
        for (name, _) in limits.iter().filter(|(_, limit)| *limit == 0) {
            findings.warning(format!("{name}: nothing is limited; set a number"));
        }
        if config.docs {
            findings.warning("DOCS: /docs and /openapi.json tell everybody which operations there are; off hides them");
        }
        if config.dynamic_registration == DynamicRegistration::Open {
            findings.warning(
                "DYNAMIC_REGISTRATION: every website may register a client; with loopback only programs on people's own machines may",
            );
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}
