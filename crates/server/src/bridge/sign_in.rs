//! Signing in: in the person's browser, with an authorization code and PKCE (OAuth 2.1, RFC 8252).

use std::process::Stdio;

use picard_crypto::{ExposeSecret, pkce_s256, random_token};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use url::Url;

use super::callback::{Callback, Expected};
use super::challenge::Challenge;
use super::discovery::{AuthorizationServer, Discovered, discover};
use super::oauth::{Tokens, json as read_json, send, union};
use super::store::Stored;

/// Who signs in where.
#[derive(Clone, Copy)]
pub(super) struct SignIn<'a> {
    /// The bridge's client.
    pub(super) http: &'a Client,
    /// The MCP endpoint.
    pub(super) url: &'a Url,
    /// What the server wants.
    pub(super) challenge: &'a Challenge,
    /// The tokens until now, whose registration goes on to be used.
    pub(super) known: Option<&'a Stored>,
    /// What the tokens until now allow, which new ones have to allow as well.
    pub(super) scope: &'a str,
    /// The program that the bridge works for.
    pub(super) program: Option<&'a str>,
}

/// The client that the bridge is at an authorization server.
#[derive(Deserialize)]
struct Registration {
    client_id: String,
}

impl SignIn<'_> {
    /// Signs in; takes as long as the person does.
    ///
    /// # Errors
    /// Why there are no tokens.
    pub(super) async fn run(self) -> Result<Stored, String> {
        let discovered = discover(self.http, self.url, self.challenge).await?;
        // What a client is at one authorization server, it is at no other.
        let known = self.known.filter(|known| known.issuer == discovered.server.issuer);
        let callback = Callback::listen(known.map(|known| known.port)).await?;
        let (client_id, port) = match known {
            Some(known) => (known.client_id.clone(), known.port),
            None => (self.register(&discovered.server, &callback).await?, callback.port()),
        };
        let stored = Stored {
            url: self.url.to_string(),
            scope: union(self.scope, &discovered.scope),
            resource: discovered.resource.clone(),
            issuer: discovered.server.issuer.clone(),
            token_endpoint: discovered.server.token_endpoint.clone(),
            client_id,
            port,
            access_token: String::new(),
            refresh_token: None,
        };
        self.authorize(&discovered, callback, stored).await
    }

    /// Registers as a client (RFC 7591).
    async fn register(&self, server: &AuthorizationServer, callback: &Callback) -> Result<String, String> {
        let endpoint =
            server.registration_endpoint.as_ref().ok_or("clients cannot register themselves there: use --token-env")?;
        let client = json!({
            "client_name": format!("Picard for {}", program_name(self.program)),
            "redirect_uris": [callback.redirect_uri()],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        });
        let response = send("register", self.http.post(endpoint).json(&client)).await?;
        read_json::<Registration>("register", response).await.map(|registration| registration.client_id)
    }

    /// Asks the person, and exchanges the code for tokens.
    async fn authorize(&self, discovered: &Discovered, callback: Callback, mut stored: Stored) -> Result<Stored, String> {
        let (state, verifier) = (random_token(), random_token());
        let redirect_uri = callback.redirect_uri();
        let challenge = pkce_s256(verifier.expose_secret());
        let request =
            Request { stored: &stored, redirect_uri: &redirect_uri, state: state.expose_secret(), challenge: &challenge };
        let address = request.address(&discovered.server.authorization_endpoint)?;
        show(&address);
        let expected = Expected {
            state: state.expose_secret().to_owned(),
            issuer: stored.issuer.clone(),
            must_name_issuer: discovered.server.authorization_response_iss_parameter_supported,
        };
        let code = callback.code(expected).await?;
        let form: [(&str, &str); 6] = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("client_id", &stored.client_id),
            ("code_verifier", verifier.expose_secret()),
            ("resource", &stored.resource),
        ];
        let response = send("exchange the code", self.http.post(&stored.token_endpoint).form(&form)).await?;
        read_json::<Tokens>("exchange the code", response).await?.put_into(&mut stored)?;
        tracing::info!(scope = stored.scope, "Signed in.");
        Ok(stored)
    }
}

/// What the browser asks the authorization endpoint.
struct Request<'a> {
    stored: &'a Stored,
    redirect_uri: &'a str,
    state: &'a str,
    challenge: &'a str,
}

impl Request<'_> {
    fn address(&self, endpoint: &str) -> Result<Url, String> {
        let mut address = Url::parse(endpoint).map_err(|error| format!("the authorization endpoint is no address: {error}"))?;
        let mut query = address.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.stored.client_id)
            .append_pair("redirect_uri", self.redirect_uri)
            .append_pair("state", self.state)
            .append_pair("code_challenge", self.challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &self.stored.resource);
        if !self.stored.scope.is_empty() {
            query.append_pair("scope", &self.stored.scope);
        }
        drop(query);
        Ok(address)
    }
}

/// What people read on the consent page after "Picard for".
fn program_name(program: Option<&str>) -> String {
    let is_harmless = |character: &char| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_' | '.');
    let name: String = program.unwrap_or_default().chars().filter(is_harmless).take(60).collect();
    match name.trim() {
        "" => "a program on this computer".to_owned(),
        name => name.to_owned(),
    }
}

/// Opens the browser, and says where to go in case there is none.
fn show(address: &Url) {
    eprintln!("Sign in to Picard in the browser that opens now, or open this address in one on this computer:\n{address}");
    let (program, first) = if cfg!(target_os = "macos") {
        ("open", None)
    } else if cfg!(windows) {
        ("rundll32", Some("url.dll,FileProtocolHandler"))
    } else {
        ("xdg-open", None)
    };
    let mut command = Command::new(program);
    // Standard output belongs to the protocol, and the browser must outlive the bridge.
    command.args(first).arg(address.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    command.process_group(0);
    if let Err(error) = command.spawn() {
        tracing::info!(%error, "No browser could be opened.");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::store::tests::stored;
    use super::*;

    #[test]
    fn the_browser_asks_for_what_is_needed() {
        let stored = Stored { scope: "memories:read memories:write".to_owned(), ..stored("") };
        let request = Request { stored: &stored, redirect_uri: "http://127.0.0.1:1/callback", state: "s", challenge: "c" };

        let address = request.address("https://a.example/authorize?tenant=1").expect("an address");

        let query: HashMap<String, String> = address.query_pairs().into_owned().collect();
        for (name, value) in [
            ("tenant", "1"),
            ("response_type", "code"),
            ("client_id", "c-1"),
            ("redirect_uri", "http://127.0.0.1:1/callback"),
            ("state", "s"),
            ("code_challenge", "c"),
            ("code_challenge_method", "S256"),
            ("resource", "https://a.example/mcp"),
            ("scope", "memories:read memories:write"),
        ] {
            assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(query.len(), 9);
    }

    #[test]
    fn a_program_cannot_pass_for_something_else() {
        assert_eq!(program_name(Some("Claude Desktop")), "Claude Desktop");
        assert_eq!(program_name(Some("\u{202e}<b>ppA</b>\n")), "bppAb");
        assert_eq!(program_name(Some(&"x".repeat(200))).len(), 60);
        for nothing in [None, Some(""), Some(" \u{0}!")] {
            assert_eq!(program_name(nothing), "a program on this computer");
        }
    }
}
