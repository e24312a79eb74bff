//! Requests to the authorization endpoint (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, RFC 9207).

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use picard_domain::{ClientOrigin, Scope, Scopes};

use crate::OAuthError;
use crate::access_token::Issuer;
use crate::redirect_uri::matches_registered;

/// The longest `state` that is taken, percent-encoded.
const MOST_STATE_BYTES: usize = 8_192;

/// What may not stand raw in a query; everything that is encoded already stays as it is.
const RAW: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'`').add(b'{').add(b'}').add(b'\\');
/// What a value must encode to stand in a query.
const VALUE: &AsciiSet = &RAW.add(b'%').add(b'&').add(b'+').add(b'=').add(b'?').add(b'/').add(b':').add(b'[').add(b']');

/// The request as it came: parameters decoded, the state as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    values: Vec<(String, String)>,
    /// The state, percent-encoded exactly as it came: it has to go back byte for byte (AUT-08).
    pub state: Option<String>,
}

/// A request that cannot be answered by a redirect: the person reads it on a page of ours (AUT-01, AUT-11).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswerable(pub String);

impl Parameters {
    /// Reads the query string. Only `resource` may come more than once.
    ///
    /// # Errors
    /// A parameter that comes twice, one that is not UTF-8, or a state that is too long.
    pub fn read(query: &str) -> Result<Self, Unanswerable> {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            if name == "state" {
                if read.state.is_some() {
                    return Err(twice(&name));
                }
                if value.len() > MOST_STATE_BYTES {
                    return Err(Unanswerable(format!("state must have at most {MOST_STATE_BYTES} bytes.")));
                }
                read.state = Some(utf8_percent_encode(value, RAW).to_string());
                continue;
            }
            if name != "resource" && read.values.iter().any(|(other, _)| *other == name) {
                return Err(twice(&name));
            }
            let value = decoded(value)?;
            read.values.push((name, value));
        }
        read.state = read.state.filter(|state| !state.is_empty());
        Ok(read)
    }

    /// The parameter's value; an empty one counts as left out (RFC 6749 section 3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

fn twice(name: &str) -> Unanswerable {
    let name: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
    Unanswerable(format!("{name} comes twice."))
}

fn decoded(text: &str) -> Result<String, Unanswerable> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Unanswerable("The request is not in UTF-8.".to_owned()))
}

/// What the rules need to know of the client that asks.
#[derive(Debug, Clone)]
pub struct AskingClient<'a> {
    /// Where codes may be sent.
    pub redirect_uris: &'a [String],
    /// What it may ask for at most.
    pub scopes: &'a Scopes,
    /// What it gets when it asks for nothing; `None`: the least.
    pub default_scopes: Option<&'a Scopes>,
    /// How it came to be known.
    pub origin: ClientOrigin,
    /// Whether it has a secret.
    pub is_confidential: bool,
}

/// Where the answer goes: the requested redirect URI, if it is a registered one, or the only registered one.
///
/// # Errors
/// When it is none of the client's: then nothing may be sent anywhere (AUT-01).
pub fn redirect_uri(parameters: &Parameters, client: &AskingClient<'_>) -> Result<String, Unanswerable> {
    match (parameters.get("redirect_uri"), client.redirect_uris) {
        (Some(wanted), registered) if registered.iter().any(|known| matches_registered(known, wanted)) => Ok(wanted.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Unanswerable("redirect_uri is missing.".to_owned())),
        (Some(_), _) => Err(Unanswerable("redirect_uri is not one that the application has registered.".to_owned())),
    }
}

/// What the application wants the person to be shown (OpenID Connect's `prompt`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Nothing: answer at once or not at all.
    pub none: bool,
    /// The sign-in page, even to somebody who is signed in.
    pub login: bool,
    /// The consent page, even for what was allowed before.
    pub consent: bool,
    /// The sign-up page.
    pub create: bool,
}

/// A request that keeps all rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidRequest {
    /// What is asked for.
    pub scopes: Scopes,
    /// The PKCE challenge (S256).
    pub code_challenge: String,
    /// Whom the tokens will be for.
    pub audience: String,
    /// What the person is to be shown.
    pub prompt: Prompt,
}

/// Checks everything but client and redirect URI.
///
/// # Errors
/// What goes back to the client by redirect.
pub fn check(parameters: &Parameters, client: &AskingClient<'_>, issuer: &Issuer) -> Result<ValidRequest, OAuthError> {
    if parameters.get("request").is_some() {
        return Err(OAuthError::request_not_supported("Send the parameters themselves."));
    }
    if parameters.get("request_uri").is_some() {
        return Err(OAuthError::request_uri_not_supported("Send the parameters themselves."));
    }
    match parameters.get("response_type") {
        Some("code") => {}
        None => return Err(OAuthError::invalid_request("response_type is missing: it must be code.")),
        Some(_) => return Err(OAuthError::unsupported_response_type("The response types are: code.")),
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthError::invalid_request("response_mode must be query."));
    }
    Ok(ValidRequest {
        code_challenge: code_challenge(parameters)?,
        prompt: prompt(parameters)?,
        audience: audience(parameters, issuer)?,
        scopes: scopes(parameters.get("scope"), client)?,
    })
}

/// PKCE with S256 is for every client, whatever secret it has (AUT-05).
fn code_challenge(parameters: &Parameters) -> Result<String, OAuthError> {
    let Some(challenge) = parameters.get("code_challenge") else {
        return Err(OAuthError::invalid_request("code_challenge is missing: PKCE with S256 is required."));
    };
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256."));
    }
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if challenge.len() == 43 && challenge.chars().all(is_base64url) {
        Ok(challenge.to_owned())
    } else {
        Err(OAuthError::invalid_request("code_challenge must be a SHA-256 hash in base64url: 43 characters."))
    }
}

fn prompt(parameters: &Parameters) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    for word in parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            "create" => prompt.create = true,
            _ => return Err(OAuthError::invalid_request("prompt must be among none, login, select_account, consent, create.")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.create) {
        return Err(OAuthError::invalid_request("prompt=none cannot stand with another prompt."));
    }
    Ok(prompt)
}

fn audience(parameters: &Parameters, issuer: &Issuer) -> Result<String, OAuthError> {
    let mut wanted = parameters.all("resource");
    let Some(first) = wanted.next() else { return Ok(issuer.url.clone()) };
    let audience = issuer.audience_of(first).ok_or_else(|| issuer.unknown_resource())?;
    if wanted.any(|other| issuer.audience_of(other).as_ref() != Some(&audience)) {
        return Err(OAuthError::invalid_target("Ask for one resource at a time."));
    }
    Ok(audience)
}

/// What may be asked for: known words that the client has registered. Whoever asks for nothing gets the least: to read;
/// a client that registered itself, what it named then, which it could also have asked for (AUT-06).
fn scopes(scope: Option<&str>, client: &AskingClient<'_>) -> Result<Scopes, OAuthError> {
    let wanted = scope.map(parse_scope).transpose()?.flatten();
    let Some(wanted) = wanted else {
        let without_admin: Scopes = client.scopes.iter().filter(|scope| *scope != Scope::Admin).collect();
        let least: Scopes = [Scope::Read].into_iter().collect::<Scopes>().intersection(&without_admin);
        let default = match client.default_scopes {
            Some(default) => default.intersection(&without_admin),
            None if least.is_empty() => without_admin,
            None => least,
        };
        if default.is_empty() {
            return Err(OAuthError::invalid_scope("scope is missing."));
        }
        return Ok(default);
    };
    if wanted.is_subset(client.scopes) {
        return Ok(wanted);
    }
    Err(OAuthError::invalid_scope("The scope is more than the application has registered for."))
}

/// Reads a scope parameter; `None` when nothing is asked for. Every client gets refresh tokens, so `offline_access` says
/// nothing.
///
/// # Errors
/// `invalid_scope` for unknown words.
pub fn parse_scope(scope: &str) -> Result<Option<Scopes>, OAuthError> {
    if scope.len() > 1_000 {
        return Err(OAuthError::invalid_scope("scope is too long."));
    }
    let words: Vec<&str> = scope.split(' ').filter(|word| *word != "offline_access").collect();
    let scope = words.join(" ");
    if scope.is_empty() {
        return Ok(None);
    }
    let refused = |error: picard_domain::scope::ScopeError| OAuthError::invalid_scope(format!("scope {error}."));
    scope.parse().map(Some).map_err(refused)
}

/// What this person can give of it: nobody but a superuser can give the administration away, and no client that
/// registered itself can have it (AUT-07).
///
/// # Errors
/// `invalid_scope` when nothing is left.
pub fn givable(wanted: &Scopes, is_superuser: bool, origin: ClientOrigin) -> Result<Scopes, OAuthError> {
    let may_administer = is_superuser && origin == ClientOrigin::Administrator;
    let left: Scopes = wanted.iter().filter(|scope| *scope != Scope::Admin || may_administer).collect();
    if left.is_empty() {
        return Err(OAuthError::invalid_scope("This person cannot give the scope memories:admin."));
    }
    Ok(left)
}

/// Whether the consent page may be left out: only for a confidential client that an administrator registered, and only
/// for what this person has allowed it before at the same host (LOG-15).
#[must_use]
pub fn is_consented(client: &AskingClient<'_>, wanted: &Scopes, consented: &Scopes, prompt: Prompt) -> bool {
    let is_trusted = client.origin == ClientOrigin::Administrator && client.is_confidential;
    is_trusted && !prompt.consent && wanted.is_subset(consented)
}

/// The redirect URI with these parameters, the state as it came, and the issuer (RFC 9207).
#[must_use]
pub fn answer(redirect_uri: &str, parameters: &[(&str, &str)], state: Option<&str>, issuer: &Issuer) -> String {
    let mut answer = redirect_uri.to_owned();
    let mut separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let mut append = |name: &str, value: &str| {
        answer.push(separator);
        answer.push_str(name);
        answer.push('=');
        answer.push_str(value);
        separator = '&';
    };
    for (name, value) in parameters {
        append(name, &utf8_percent_encode(value, VALUE).to_string());
    }
    if let Some(state) = state {
        append("state", state);
    }
    append("iss", &utf8_percent_encode(&issuer.url, VALUE).to_string());
    answer
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
