//! Dynamic client registration (RFC 7591): what a client may say about itself, and what becomes of it.

use picard_domain::{ClientAuthMethod, Scope, Scopes};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use crate::OAuthError;
use crate::client::is_client_name;
use crate::redirect_uri::{check_redirect_uri, target_of};

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody, with https and loopback redirect URIs.
    Open,
    /// Programs on the person's own machine: loopback redirect URIs alone.
    Loopback,
    /// Nobody.
    Off,
}

/// What a client says about itself. Members that are not here are ignored (RFC 7591 section 2), above all those that
/// would choose an id, a secret or an owner (REG-04).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    scopes: Option<Vec<String>>,
    is_confidential: Option<bool>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    jwks_uri: Option<String>,
}

/// A client that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfRegistration {
    /// Its name, as people will see it.
    pub name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most; never the administration.
    pub scopes: Scopes,
    /// What it gets when it asks for nothing.
    pub default_scopes: Scopes,
    /// The way in which it proves who it is, as it is told.
    pub auth_method: ClientAuthMethod,
    /// Whether it chose that way itself; otherwise any way that fits a secret will do.
    pub is_auth_method_chosen: bool,
}

/// Checks what a client says about itself at `/register`.
///
/// # Errors
/// `invalid_redirect_uri`, `invalid_client_metadata` (RFC 7591 section 3.2.2), `access_denied` when nobody may register.
pub fn check(document: Value, policy: Policy) -> Result<SelfRegistration, OAuthError> {
    if policy == Policy::Off {
        return Err(OAuthError::access_denied("Clients cannot register themselves here: ask an administrator."));
    }
    if !document.is_object() {
        return Err(wrong("the registration must be a JSON object"));
    }
    // The one member with an error code of its own: a wrong type is a wrong redirect URI, too.
    if document.get("redirect_uris").is_some_and(|uris| serde_json::from_value::<Vec<String>>(uris.clone()).is_err()) {
        return Err(OAuthError::invalid_redirect_uri("redirect_uris must be an array of texts."));
    }
    let metadata: Metadata = serde_json::from_value(document).map_err(|error| wrong(&error.to_string()))?;
    let redirect_uris = redirect_uris(metadata.redirect_uris.as_deref().unwrap_or_default(), policy)?;
    check_grants(&metadata)?;
    for (member, uri) in [
        ("client_uri", &metadata.client_uri),
        ("logo_uri", &metadata.logo_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
        ("jwks_uri", &metadata.jwks_uri),
    ] {
        if uri.as_ref().is_some_and(|uri| !is_public_page(uri)) {
            return Err(wrong(&format!("{member} must be an https URI with a host name")));
        }
    }
    let (auth_method, is_auth_method_chosen) = auth_method(&metadata)?;
    let (scopes, default_scopes) = scopes(&metadata)?;
    let name = name(metadata.client_name, &redirect_uris)?;
    Ok(SelfRegistration { name, redirect_uris, scopes, default_scopes, auth_method, is_auth_method_chosen })
}

fn wrong(what: &str) -> OAuthError {
    OAuthError::invalid_client_metadata(format!("{what}."))
}

/// Checks the redirect URIs (REG-05, REG-06).
pub(crate) fn redirect_uris(uris: &[String], policy: Policy) -> Result<Vec<String>, OAuthError> {
    if !(1..=20).contains(&uris.len()) {
        return Err(OAuthError::invalid_redirect_uri("redirect_uris must have 1 to 20 URIs."));
    }
    for (index, uri) in uris.iter().enumerate() {
        check_redirect_uri(uri)
            .map_err(|message| OAuthError::invalid_redirect_uri(format!("redirect_uris[{index}] {message}.")))?;
        if policy == Policy::Loopback && !target_of(uri).is_some_and(|target| target.is_loopback) {
            return Err(OAuthError::invalid_redirect_uri(format!(
                "redirect_uris[{index}] must be on 127.0.0.1, [::1] or localhost: only programs on the person's own machine may register themselves here."
            )));
        }
    }
    Ok(uris.to_vec())
}

/// A client may say more than works here, as long as what works is among it.
fn check_grants(metadata: &Metadata) -> Result<(), OAuthError> {
    let has = |list: &Option<Vec<String>>, word: &str| list.as_ref().is_none_or(|list| list.iter().any(|item| item == word));
    if !has(&metadata.grant_types, "authorization_code") {
        return Err(wrong("grant_types must have authorization_code; refresh_token comes with it, and nothing else is given"));
    }
    if !has(&metadata.response_types, "code") {
        return Err(wrong("response_types must have code"));
    }
    Ok(())
}

/// The method, and whether the client chose it.
fn auth_method(metadata: &Metadata) -> Result<(ClientAuthMethod, bool), OAuthError> {
    match (metadata.token_endpoint_auth_method.as_deref(), metadata.is_confidential) {
        (Some(word), is_confidential) => {
            let method: ClientAuthMethod = word
                .parse()
                .map_err(|_| wrong("token_endpoint_auth_method must be client_secret_basic, client_secret_post or none"))?;
            if is_confidential.is_some_and(|confidential| confidential == (method == ClientAuthMethod::None)) {
                return Err(wrong("is_confidential does not fit token_endpoint_auth_method"));
            }
            Ok((method, true))
        }
        (None, Some(false)) => Ok((ClientAuthMethod::None, true)),
        // RFC 7591 section 2: client_secret_basic is meant when nothing is said.
        (None, _) => Ok((ClientAuthMethod::Basic, false)),
    }
}

/// What a client may ask people for, and what it gets when it asks for nothing: what it wants, without the administration
/// (REG-07). Words that are not known here, such as those of OpenID Connect, are left out of the answer.
///
/// `scopes`, of the short form, is a limit. `scope`, of the RFC, is not: MCP clients copy into it what they need first, and
/// ask for more when they need more. So they are registered for reading and writing, which RFC 7591 section 3.2.1 allows
/// when the answer says so, and each person decides about each scope.
fn scopes(metadata: &Metadata) -> Result<(Scopes, Scopes), OAuthError> {
    let words: Vec<&str> = match (&metadata.scopes, metadata.scope.as_deref()) {
        (Some(_), Some(_)) => return Err(wrong("send scope or scopes, not both")),
        (Some(words), None) => words.iter().map(String::as_str).collect(),
        (None, Some(scope)) => scope.split(' ').filter(|word| !word.is_empty()).collect(),
        (None, None) => Vec::new(),
    };
    let most: Scopes = [Scope::Read, Scope::Write].into_iter().collect();
    if words.is_empty() {
        return Ok((most.clone(), most));
    }
    let wanted: Scopes = words.iter().filter_map(|word| word.parse().ok()).collect();
    let given = wanted.intersection(&most);
    if given.is_empty() {
        return Err(wrong("the scopes that a client can register for are memories:read and memories:write"));
    }
    Ok((if metadata.scopes.is_some() { given.clone() } else { most }, given))
}

/// A client without a name is called after where it gets its codes.
pub(crate) fn name(name: Option<String>, redirect_uris: &[String]) -> Result<String, OAuthError> {
    match name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()) {
        Some(name) if is_client_name(&name) => Ok(name),
        Some(_) => Err(wrong("client_name must have 1 to 100 printable characters")),
        None => {
            Ok(redirect_uris.first().and_then(|uri| target_of(uri)).map_or_else(|| "An application".to_owned(), |it| it.host))
        }
    }
}

/// Pages about a client are never fetched; people may follow them one day, so they have to be on the open web (REG-10).
fn is_public_page(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let is_named = matches!(url.host(), Some(Host::Domain(name)) if name.contains('.') && !name.ends_with('.'));
    uri.len() <= 2_000 && url.scheme() == "https" && is_named && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_open(document: Value) -> Result<SelfRegistration, OAuthError> {
        check(document, Policy::Open)
    }

    fn with(more: Value) -> Value {
        let mut document = json!({ "redirect_uris": ["https://app.example.com/cb"] });
        let (Value::Object(into), Value::Object(more)) = (&mut document, more) else { panic!("two objects") };
        into.extend(more);
        document
    }

    fn code(document: Value) -> &'static str {
        check_open(document).expect_err("refused").code
    }

    #[test]
    fn a_client_gets_what_the_rfc_says_when_it_says_little() {
        let client = check_open(with(json!({}))).expect("a client");

        assert_eq!((client.auth_method, client.is_auth_method_chosen), (ClientAuthMethod::Basic, false));
        assert_eq!(
            (client.name.as_str(), client.scopes.to_string().as_str()),
            ("app.example.com", "memories:read memories:write")
        );
    }

    #[test]
    fn both_forms_are_understood() {
        let rfc = with(json!({ "token_endpoint_auth_method": "none", "scope": "memories:read openid offline_access" }));
        let short = with(json!({ "client_name": "App", "scopes": ["memories:read"], "is_confidential": false }));
        assert_eq!(check_open(short.clone()).expect("a client").scopes.to_string(), "memories:read", "a limit");
        assert_eq!(check_open(rfc.clone()).expect("a client").scopes.to_string(), "memories:read memories:write", "a first wish");
        for document in [rfc, short] {
            let client = check_open(document).expect("a client");
            assert_eq!(
                (client.auth_method, client.default_scopes.to_string().as_str()),
                (ClientAuthMethod::None, "memories:read"),
                "REG-12"
            );
        }
    }

    #[test]
    fn nobody_registers_for_the_administration_or_for_other_grants() {
        let narrowed = check_open(with(json!({ "scope": "memories:read memories:admin" }))).expect("a client");
        assert_eq!(narrowed.default_scopes.to_string(), "memories:read", "REG-07");
        assert_eq!(narrowed.scopes.to_string(), "memories:read memories:write", "REG-07");
        assert_eq!(code(with(json!({ "scope": "memories:admin" }))), "invalid_client_metadata", "REG-07");
        assert_eq!(code(with(json!({ "grant_types": ["password"] }))), "invalid_client_metadata", "REG-04");
        assert_eq!(
            code(with(json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }))),
            "invalid_client_metadata",
            "REG-07"
        );
        assert_eq!(code(with(json!({ "response_types": ["token"] }))), "invalid_client_metadata");
        assert_eq!(code(with(json!({ "token_endpoint_auth_method": "private_key_jwt" }))), "invalid_client_metadata", "REG-12");
        assert_eq!(code(json!([])), "invalid_client_metadata");
    }

    #[test]
    fn members_that_would_choose_an_identity_are_ignored() {
        let plain = check_open(with(json!({}))).expect("a client");
        let greedy = with(
            json!({ "client_id": "mine", "client_secret": "mine", "is_active": true, "owner": "ada", "origin": "administrator" }),
        );

        assert_eq!(check_open(greedy), Ok(plain), "REG-04");
    }

    #[test]
    fn redirect_uris_are_checked_one_by_one() {
        for uris in [
            json!(null),
            json!([]),
            json!("https://a.com/cb"),
            json!([1]),
            json!(["http://evil.com/cb"]),
            json!(vec!["https://a.com/cb"; 1_000]),
        ] {
            assert_eq!(code(json!({ "redirect_uris": uris })), "invalid_redirect_uri", "REG-05 {uris}");
        }
        let loopback = json!({ "redirect_uris": ["http://127.0.0.1/cb"] });
        assert!(check(loopback, Policy::Loopback).is_ok(), "REG-06");
        assert_eq!(check(with(json!({})), Policy::Loopback).expect_err("refused").code, "invalid_redirect_uri");
        assert_eq!(check(with(json!({})), Policy::Off).expect_err("refused").code, "access_denied");
    }

    #[test]
    fn names_and_pages_are_harmless() {
        for name in ["\u{202e}ppA", "a\u{0}b", &"x".repeat(10_000)] {
            assert_eq!(code(with(json!({ "client_name": name }))), "invalid_client_metadata", "REG-09 {name:?}");
        }
        assert!(
            check_open(with(json!({ "client_name": "<img src=x onerror=alert(1)> 🦀" }))).is_ok(),
            "REG-09: escaped where it is shown"
        );
        for uri in [
            "http://169.254.169.254/",
            "https://169.254.169.254/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://localhost/",
            "https://a:b@c.de/",
        ] {
            assert_eq!(code(with(json!({ "logo_uri": uri }))), "invalid_client_metadata", "REG-10 {uri}");
        }
        assert!(check_open(with(json!({ "client_uri": "https://example.com/app" }))).is_ok());
    }
}
