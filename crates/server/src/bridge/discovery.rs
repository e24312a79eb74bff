//! Where to sign in: from a server's challenge to its authorization server (RFC 9728, RFC 8414).

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::Url;

use super::challenge::Challenge;
use super::oauth::{json, send};
use super::web::is_safe;

/// What is known of the server after looking around.
#[derive(Debug)]
pub(super) struct Discovered {
    /// What the server is called as a resource.
    pub(super) resource: String,
    /// The scopes to ask for, as far as the server says.
    pub(super) scope: String,
    /// Where to sign in.
    pub(super) server: AuthorizationServer,
}

/// The metadata of a protected resource (RFC 9728 section 2).
#[derive(Debug, Deserialize)]
struct ResourceMetadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// The metadata of an authorization server (RFC 8414 section 2).
#[derive(Debug, Deserialize)]
pub(super) struct AuthorizationServer {
    /// Its name.
    pub(super) issuer: String,
    /// Where people are asked.
    pub(super) authorization_endpoint: String,
    /// Where codes become tokens.
    pub(super) token_endpoint: String,
    /// Where clients register themselves, if they may.
    pub(super) registration_endpoint: Option<String>,
    /// Whether its answers say that they are its own (RFC 9207).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
}

/// Finds out where to sign in for the MCP endpoint at `url`.
pub(super) async fn discover(http: &Client, url: &Url, challenge: &Challenge) -> Result<Discovered, String> {
    let metadata = resource_metadata(http, url, challenge).await?;
    let issuer = metadata.authorization_servers.first().ok_or("the server names no authorization server")?;
    let server = authorization_server(http, url, issuer).await?;
    // All at once: the person signs in once, and not again for the first write.
    let scope = if metadata.scopes_supported.is_empty() {
        challenge.scope.clone().unwrap_or_default()
    } else {
        metadata.scopes_supported.join(" ")
    };
    Ok(Discovered { resource: metadata.resource, scope, server })
}

async fn resource_metadata(http: &Client, url: &Url, challenge: &Challenge) -> Result<ResourceMetadata, String> {
    let named = challenge.resource_metadata.as_deref().and_then(|text| Url::parse(text).ok());
    let places = match named {
        Some(named) => vec![named],
        None => {
            let mut root = url.clone();
            root.set_path("");
            vec![well_known(url, "oauth-protected-resource"), well_known(&root, "oauth-protected-resource")]
        }
    };
    for place in places {
        let Some(metadata) = document::<ResourceMetadata>(http, url, place).await? else { continue };
        if !covers(&metadata.resource, url) {
            return Err(format!("the server calls itself {}, not {url}: use that as --url", metadata.resource));
        }
        return Ok(metadata);
    }
    Err("the server does not say where to sign in".to_owned())
}

async fn authorization_server(http: &Client, url: &Url, issuer: &str) -> Result<AuthorizationServer, String> {
    let address = Url::parse(issuer).map_err(|_| "the authorization server's name is no address")?;
    let place = well_known(&address, "oauth-authorization-server");
    let server: AuthorizationServer =
        document(http, url, place).await?.ok_or_else(|| format!("the authorization server {issuer} has no metadata"))?;
    // Otherwise it could pass for another one (RFC 8414 section 3.3).
    if server.issuer != issuer {
        return Err(format!("the authorization server calls itself {}, not {issuer}", server.issuer));
    }
    if !server.code_challenge_methods_supported.iter().any(|method| method == "S256") {
        return Err("the authorization server does not support PKCE with S256".to_owned());
    }
    let endpoints = [Some(&server.authorization_endpoint), Some(&server.token_endpoint), server.registration_endpoint.as_ref()];
    if endpoints.into_iter().flatten().any(|endpoint| !Url::parse(endpoint).is_ok_and(|endpoint| is_safe(&endpoint, url))) {
        return Err("an endpoint of the authorization server is no https address".to_owned());
    }
    Ok(server)
}

/// The address of a metadata document: the well-known part stands between host and path.
fn well_known(url: &Url, name: &str) -> Url {
    let mut place = url.clone();
    place.set_path(&format!("/.well-known/{name}{}", url.path().trim_end_matches('/')));
    place.set_query(None);
    place.set_fragment(None);
    place
}

/// Reads a document; `None` if there is none.
async fn document<T: for<'de> Deserialize<'de>>(http: &Client, url: &Url, place: Url) -> Result<Option<T>, String> {
    if !is_safe(&place, url) {
        return Err(format!("the metadata at {place} are not at an https address"));
    }
    let doing = format!("read the metadata at {place}");
    let response = send(&doing, http.get(place)).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    json(&doing, response).await.map(Some)
}

/// Whether the metadata are about the address that is called: the same, or all that is below.
fn covers(resource: &str, url: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let below = url.path().strip_prefix(resource.path().trim_end_matches('/'));
    resource.origin() == url.origin() && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    #[test]
    fn documents_are_where_the_rfcs_say() {
        let place = |text: &str| well_known(&url(text), "x").to_string();

        assert_eq!(place("https://a.example/mcp?b=c"), "https://a.example/.well-known/x/mcp");
        assert_eq!(place("https://a.example:8443"), "https://a.example:8443/.well-known/x");
        assert_eq!(place("https://a.example/tenant/"), "https://a.example/.well-known/x/tenant");
    }

    #[test]
    fn a_resource_is_the_address_or_above_it() {
        let mcp = url("https://a.example/mcp");
        for good in ["https://a.example/mcp", "https://a.example/mcp/", "https://a.example", "https://a.example:443/"] {
            assert!(covers(good, &mcp), "{good}");
        }
        for bad in ["http://a.example/mcp", "https://b.example/mcp", "https://a.example/m", "https://a.example/mcp/x", "mcp", ""]
        {
            assert!(!covers(bad, &mcp), "{bad}");
        }
    }
}
