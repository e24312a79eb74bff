//! Clients that are named by the address of a document about them (draft-ietf-oauth-client-id-metadata-document): which
//! addresses may be asked, and what the document may say. The server fetches what strangers name, so everything that
//! could lead it into its own network is refused (SSR-01, SSR-02).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use picard_domain::{Scope, Scopes};
use serde::Deserialize;
use url::{Host, Url};

use crate::OAuthError;
use crate::registration::{Policy, name, redirect_uris};

/// The longest document, in bytes.
pub const MOST_BYTES: usize = 5_120;

/// Whether a `client_id` can only be meant as a document's address.
#[must_use]
pub fn is_document_address(client_id: &str) -> bool {
    client_id.contains("://")
}

/// Checks the address of a document: https on the usual port of a host with a name, a path, and nothing that hides
/// where it leads. Gives back the host.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(client_id: &str) -> Result<String, &'static str> {
    let url = Url::parse(client_id).map_err(|_| "is not a URL")?;
    // Another spelling of one address would be another client.
    if url.as_str() != client_id || client_id.len() > 1_000 {
        return Err("must be written in its normal form, with at most 1,000 characters");
    }
    if url.scheme() != "https" {
        return Err("must be an https URL");
    }
    if !url.username().is_empty() || url.password().is_some() || client_id.contains('#') {
        return Err("must have no user name, password or fragment");
    }
    if url.port().is_some() {
        return Err("must be on port 443");
    }
    if url.path() == "/" || client_id.contains("/./") || client_id.contains("/../") {
        return Err("must have a path, without dot segments");
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public_name(name) => Ok(name.to_owned()),
        _ => Err("must be on a public host name"),
    }
}

fn is_public_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_local = ["localhost", "local", "internal", "lan", "home", "test", "invalid", "onion"].contains(&last);
    name.contains('.') && !name.ends_with('.') && !is_local && !last.is_empty() && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether an address is on the open internet. Everything else is refused, when the connection is made and whatever the
/// name resolved to before (DNS rebinding).
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's registry of special-purpose IPv4 addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

/// Global unicast alone, without the ranges in it that wrap an IPv4 address or are for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let is_global_unicast = segments[0] & 0xe000 == 0x2000;
    let is_special = segments[0] == 0x2001 && (segments[1] < 0x0200 || segments[1] == 0x0db8);
    let is_6to4 = segments[0] == 0x2002;
    let is_documentation = segments[0] == 0x3fff && segments[1] < 0x1000;
    is_global_unicast && !is_special && !is_6to4 && !is_documentation
}

/// What a document says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedClient {
    /// The client's name, as people will see it.
    pub name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most; never the administration.
    pub scopes: Scopes,
}

#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<serde_json::Value>,
    client_secret_expires_at: Option<serde_json::Value>,
}

/// Checks the document that was found at an address.
///
/// # Errors
/// `invalid_client` with what is wrong.
pub fn check_document(client_id: &str, body: &[u8]) -> Result<DescribedClient, OAuthError> {
    let wrong = |what: &str| OAuthError::invalid_client(format!("The application's metadata document {what}."));
    if body.len() > MOST_BYTES {
        return Err(wrong("is larger than 5 kB"));
    }
    let document: Document =
        serde_json::from_slice(body).map_err(|_| wrong("is not a JSON object with client_id and redirect_uris"))?;
    if document.client_id != client_id {
        return Err(wrong("names another client_id than its own address"));
    }
    if document.client_secret.is_some() || document.client_secret_expires_at.is_some() {
        return Err(wrong("has a secret, which everybody could read"));
    }
    if document.token_endpoint_auth_method.as_deref().is_some_and(|method| method != "none") {
        return Err(wrong("must have the token_endpoint_auth_method none"));
    }
    let redirect_uris = redirect_uris(&document.redirect_uris, Policy::Open).map_err(|error| wrong(&error.description))?;
    let name = name(document.client_name, &redirect_uris).map_err(|error| wrong(&error.description))?;
    Ok(DescribedClient { name, redirect_uris, scopes: [Scope::Read, Scope::Write].into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_plain_public_https_addresses_are_asked() {
        assert_eq!(check_address("https://app.example.com/oauth/client.json"), Ok("app.example.com".to_owned()));
        assert_eq!(check_address("https://app.example.com/client?v=2"), Ok("app.example.com".to_owned()));
        for bad in [
            "http://app.example.com/client",
            "https://127.0.0.1/client",
            "https://10.0.0.1/client",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/client",
            "https://[::ffff:127.0.0.1]/client",
            "https://0x7f000001/client",
            "https://2130706433/client",
            "https://127.1/client",
            "https://localhost/client",
            "https://localhost./client",
            "https://app.example.com./client",
            "https://app.localhost/client",
            "https://db.internal/client",
            "https://app.example.com:22/client",
            "https://user@app.example.com/client",
            "https://app.example.com/client#x",
            "https://app.example.com/a/../client",
            "https://app.example.com/",
            "https://app.example.com",
            "https://APP.example.com/client",
            "https:app.example.com/client",
            "ftp://app.example.com/client",
        ] {
            assert!(check_address(bad).is_err(), "SSR-01 {bad}");
        }
    }

    #[test]
    fn only_the_open_internet_is_connected_to() {
        for public in ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001:800::200e"] {
            assert!(is_public_address(public.parse().expect("an address")), "{public}");
        }
        for inner in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public_address(inner.parse().expect("an address")), "SSR-01 {inner}");
        }
    }

    #[test]
    fn a_document_says_what_it_must_and_nothing_it_must_not() {
        let id = "https://app.example.com/client.json";
        let document = json!({ "client_id": id, "client_name": "App", "redirect_uris": ["https://app.example.com/cb"] });
        let with = |member: &str, value: serde_json::Value| {
            let mut changed = document.clone();
            changed[member] = value;
            check_document(id, changed.to_string().as_bytes())
        };

        assert_eq!(check_document(id, document.to_string().as_bytes()).expect("a client").name, "App");
        assert!(with("token_endpoint_auth_method", "none".into()).is_ok());
        for (member, value) in [
            ("client_id", json!("https://evil.example.com/client.json")),
            ("client_secret", json!("s")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://evil.com/"])),
            ("redirect_uris", json!(null)),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("client_name", json!("\u{202e}ppA")),
        ] {
            assert!(with(member, value.clone()).is_err_and(|error| error.code == "invalid_client"), "SSR-02 {member} {value}");
        }
        assert!(check_document(id, b"<html>").is_err() && check_document(id, &vec![b' '; 6_000]).is_err(), "SSR-02");
    }
}
