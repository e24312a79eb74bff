//! What a client is: its registration, and how it proves who it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use picard_crypto::{constant_time_eq, hash_token};
use picard_domain::{ClientAuthMethod, FieldError, Scopes};
use url::form_urlencoded;

use crate::OAuthError;
use crate::redirect_uri::check_redirect_uri;

/// A registration that has been checked.
#[derive(Debug, Clone)]
pub struct ClientRegistration {
    /// The client's name, as people see it.
    pub name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// What it may ask for at most.
    pub scopes: Scopes,
    /// Whether it can keep a secret.
    pub is_confidential: bool,
}

/// Checks what an administrator wants to register.
///
/// # Errors
/// Every member that is wrong.
pub fn check_registration(
    name: &str,
    redirect_uris: Vec<String>,
    scopes: &[String],
    is_confidential: bool,
) -> Result<ClientRegistration, Vec<FieldError>> {
    let mut errors = Vec::new();
    let name = name.trim().to_owned();
    if !is_client_name(&name) {
        errors.push(FieldError::new("client_name", "must have 1 to 100 printable characters"));
    }
    if !(1..=20).contains(&redirect_uris.len()) {
        errors.push(FieldError::new("redirect_uris", "must have 1 to 20 URIs"));
    }
    for (index, uri) in redirect_uris.iter().enumerate().take(20) {
        if let Err(message) = check_redirect_uri(uri) {
            errors.push(FieldError::new(format!("redirect_uris[{index}]"), message));
        }
    }
    let parsed: Result<Scopes, _> = scopes.iter().map(|word| word.parse()).collect::<Result<Scopes, _>>();
    match parsed {
        Ok(scopes) if !scopes.is_empty() && errors.is_empty() => {
            Ok(ClientRegistration { name, redirect_uris, scopes, is_confidential })
        }
        Ok(scopes) => {
            if scopes.is_empty() {
                errors.push(FieldError::new("scopes", "must name at least one scope"));
            }
            Err(errors)
        }
        Err(error) => {
            errors.push(FieldError::new("scopes", error.to_string()));
            Err(errors)
        }
    }
}

/// Whether people can be shown this name.
pub(crate) fn is_client_name(name: &str) -> bool {
    (1..=100).contains(&name.chars().count()) && !name.contains(is_unprintable)
}

/// Control characters, and those that turn the reading direction around: a name must read as what it is (REG-09).
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a request says of the client that sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The client's id.
    pub client_id: String,
    /// Its secret, unless it is a public client.
    pub client_secret: Option<String>,
    /// How it sent them.
    pub method: ClientAuthMethod,
}

// The secret does not belong into logs.
impl std::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Reads the two parts of a Basic header's value as they stand (RFC 7617).
#[must_use]
pub fn parse_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Undoes the form encoding of RFC 6749 section 2.3.1.
fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("x={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

/// Finds the client's credentials in header and body; exactly one method may be used (RFC 6749 section 2.3).
///
/// # Errors
/// `invalid_request` for two methods at once, `invalid_client` for none or a malformed header.
pub fn client_credentials(
    authorization: Option<&str>,
    client_id: Option<&str>,
    client_secret: Option<&str>,
) -> Result<ClientCredentials, OAuthError> {
    let Some(header) = authorization else {
        let client_id =
            client_id.ok_or_else(|| OAuthError::invalid_client("The client did not say who it is: send client_id."))?;
        let method = if client_secret.is_some() { ClientAuthMethod::Post } else { ClientAuthMethod::None };
        return Ok(ClientCredentials {
            client_id: client_id.to_owned(),
            client_secret: client_secret.map(str::to_owned),
            method,
        });
    };
    if client_secret.is_some() {
        return Err(OAuthError::invalid_request("Send the client's credentials in the header or in the body, not in both."));
    }
    let parts = parse_basic(header).and_then(|(id, secret)| Some((form_decoded(&id)?, form_decoded(&secret)?)));
    let Some((id, secret)) = parts else {
        return Err(OAuthError::invalid_client("The Authorization header must be Basic with the client's id and secret."));
    };
    if client_id.is_some_and(|other| other != id) {
        return Err(OAuthError::invalid_request("client_id is not the one in the Authorization header."));
    }
    Ok(ClientCredentials { client_id: id, client_secret: Some(secret), method: ClientAuthMethod::Basic })
}

/// Whether a client has proved who it is, in the way that it registered for, if it registered for one.
#[must_use]
pub fn is_authentic(credentials: &ClientCredentials, stored: Option<&[u8; 32]>, registered: Option<ClientAuthMethod>) -> bool {
    // Compared first, so that a wrong method takes no less time than a wrong secret.
    let fits = secret_fits(credentials.client_secret.as_deref(), stored);
    fits && registered.is_none_or(|method| method == credentials.method)
}

/// Whether a presented secret fits what is stored: a confidential client needs its own, a public one has none (TOK-09, TOK-11).
#[must_use]
pub fn secret_fits(presented: Option<&str>, stored: Option<&[u8; 32]>) -> bool {
    match (presented, stored) {
        (Some(secret), Some(hash)) => constant_time_eq(&hash_token(secret), hash),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn credentials_come_from_the_header_or_the_body_but_not_both() {
        let from_header = client_credentials(Some(&basic("a%3Ab:s%2Bx%3A y")), None, None).expect("credentials");
        assert_eq!((from_header.client_id.as_str(), from_header.client_secret.as_deref()), ("a:b", Some("s+x: y")), "TOK-10");

        let from_body = client_credentials(None, Some("a"), Some("s")).expect("credentials");
        let expected =
            ClientCredentials { client_id: "a".into(), client_secret: Some("s".into()), method: ClientAuthMethod::Post };
        assert_eq!(from_body, expected);
        assert!(is_authentic(&from_body, Some(&hash_token("s")), Some(ClientAuthMethod::Post)));
        assert!(is_authentic(&from_body, Some(&hash_token("s")), None));
        assert!(!is_authentic(&from_body, Some(&hash_token("s")), Some(ClientAuthMethod::Basic)), "REG-12");

        let code = |result: Result<_, OAuthError>| result.map(|_: ClientCredentials| ()).map_err(|error| error.code);
        assert_eq!(code(client_credentials(Some(&basic("a:s")), None, Some("s"))), Err("invalid_request"), "TOK-09");
        assert_eq!(code(client_credentials(Some(&basic("a:s")), Some("b"), None)), Err("invalid_request"), "TOK-09");
        assert_eq!(code(client_credentials(None, None, None)), Err("invalid_client"));
        assert_eq!(code(client_credentials(Some("Basic %%%"), None, None)), Err("invalid_client"));
        assert_eq!(code(client_credentials(Some("Bearer x"), None, None)), Err("invalid_client"));
    }

    #[test]
    fn a_secret_fits_only_the_client_that_has_it() {
        let hash = hash_token("secret");

        assert!(secret_fits(Some("secret"), Some(&hash)));
        assert!(!secret_fits(Some("Secret"), Some(&hash)));
        assert!(!secret_fits(None, Some(&hash)), "TOK-11: a confidential client without its secret");
        assert!(!secret_fits(Some("secret"), None), "TOK-11: a public client with one");
        assert!(secret_fits(None, None));
    }

    #[test]
    fn a_registration_names_everything_that_is_wrong() {
        let errors = check_registration("", vec!["http://evil.com".into()], &["memories:all".into()], true).expect_err("wrong");
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["client_name", "redirect_uris[0]", "scopes"]);

        let many = vec!["https://a.com/cb".to_owned(); 1_000];
        assert!(check_registration("App", many, &["memories:read".into()], true).is_err(), "REG-05");
        assert!(
            check_registration("\u{202e}ppA", vec!["https://a.com/cb".into()], &["memories:read".into()], true).is_err(),
            "REG-09"
        );
        assert!(check_registration("App", vec!["https://a.com/cb".into()], &["memories:read".into()], true).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(header in ".{0,200}") {
            let _ = client_credentials(Some(&header), None, None);
        }
    }
}
