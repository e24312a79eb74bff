//! What happens to an authorization code that is presented (RFC 6749 section 4.1.3, RFC 7636 section 4.6, TOK-01 to
//! TOK-08).

use std::time::Duration;

use picard_crypto::{constant_time_eq, pkce_s256};
use picard_domain::{ClientId, Scopes, Timestamp};

use crate::OAuthError;

/// A code has to be redeemed within this time.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// So many tries in vain by its own client burn a code.
pub const MOST_FAILED_TRIES: i16 = 5;

/// A code and the state of what it depends on.
#[derive(Debug, Clone)]
pub struct PresentedCode {
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the client named that address itself, and so has to name it again.
    pub redirect_uri_given: bool,
    /// The PKCE challenge (S256).
    pub code_challenge: String,
    /// What was allowed.
    pub scopes: Scopes,
    /// What the client may have at all by now.
    pub client_scopes: Scopes,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often its client has tried in vain.
    pub failed_tries: i16,
    /// Whether it was exchanged already.
    pub is_consumed: bool,
    /// Whether the account may be used.
    pub is_user_active: bool,
}

/// What the client sends besides the code.
#[derive(Debug, Clone, Copy)]
pub struct Redemption<'a> {
    /// The client, which has proved who it is.
    pub client_id: ClientId,
    /// The redirect URI that it says it used.
    pub redirect_uri: Option<&'a str>,
    /// The PKCE verifier.
    pub code_verifier: Option<&'a str>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Exchange it for tokens with these scopes.
    Exchange(Scopes),
    /// Refuse, and leave everything as it is.
    Refuse(OAuthError),
    /// Refuse, and count a try in vain.
    CountFailure(OAuthError),
    /// Refuse, and end what the code was exchanged for: somebody has a code that was used.
    RevokeFamily(OAuthError),
}

/// Decides about a presented code.
#[must_use]
pub fn decide(code: &PresentedCode, redemption: Redemption<'_>, now: Timestamp) -> Decision {
    let invalid = || OAuthError::invalid_grant("The code is not valid (any more): start again at the authorization endpoint.");
    // Another client's attempt must not be able to burn the code, nor to end what came of it (TOK-04).
    if code.client_id != redemption.client_id {
        return Decision::Refuse(invalid());
    }
    if code.is_consumed {
        return Decision::RevokeFamily(invalid());
    }
    if code.expires_at <= now || !code.is_user_active || code.failed_tries >= MOST_FAILED_TRIES {
        return Decision::Refuse(invalid());
    }
    let is_same_place = match redemption.redirect_uri {
        Some(uri) => uri == code.redirect_uri,
        None => !code.redirect_uri_given,
    };
    if !is_same_place {
        return Decision::CountFailure(OAuthError::invalid_grant("redirect_uri is not the one that the code was sent to."));
    }
    let Some(verifier) = redemption.code_verifier.filter(|verifier| is_verifier(verifier)) else {
        return Decision::CountFailure(OAuthError::invalid_grant("code_verifier must have 43 to 128 unreserved characters."));
    };
    if !constant_time_eq(pkce_s256(verifier).as_bytes(), code.code_challenge.as_bytes()) {
        return Decision::CountFailure(OAuthError::invalid_grant("code_verifier does not fit the code_challenge."));
    }
    let scopes = code.scopes.intersection(&code.client_scopes);
    if scopes.is_empty() { Decision::Refuse(invalid()) } else { Decision::Exchange(scopes) }
}

/// RFC 7636 section 4.1.
fn is_verifier(verifier: &str) -> bool {
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    (43..=128).contains(&verifier.len()) && verifier.chars().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use picard_domain::Scope;

    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const URI: &str = "https://app.example.com/cb";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn code() -> PresentedCode {
        PresentedCode {
            client_id: ClientId::generate(),
            redirect_uri: URI.to_owned(),
            redirect_uri_given: true,
            code_challenge: pkce_s256(VERIFIER),
            scopes: [Scope::Read, Scope::Write].into_iter().collect(),
            client_scopes: Scope::ALL.into_iter().collect(),
            expires_at: at("2026-01-01T00:01:00Z"),
            failed_tries: 0,
            is_consumed: false,
            is_user_active: true,
        }
    }

    fn redeem(code: &PresentedCode, redirect_uri: Option<&str>, code_verifier: Option<&str>) -> Decision {
        let redemption = Redemption { client_id: code.client_id, redirect_uri, code_verifier };
        decide(code, redemption, at("2026-01-01T00:00:30Z"))
    }

    #[test]
    fn a_fresh_code_is_exchanged_for_what_was_allowed() {
        let fresh = code();
        assert_eq!(redeem(&fresh, Some(URI), Some(VERIFIER)), Decision::Exchange(fresh.scopes.clone()), "TOK-01");

        let read: Scopes = [Scope::Read].into_iter().collect();
        let cut = PresentedCode { client_scopes: read.clone(), ..fresh };
        assert_eq!(redeem(&cut, Some(URI), Some(VERIFIER)), Decision::Exchange(read), "TOK-05: cut meanwhile");

        let implied = PresentedCode { redirect_uri_given: false, ..code() };
        assert!(matches!(redeem(&implied, None, Some(VERIFIER)), Decision::Exchange(_)), "TOK-06");
        assert!(matches!(redeem(&implied, Some("https://b.com/"), Some(VERIFIER)), Decision::CountFailure(_)), "TOK-06");
    }

    #[test]
    fn a_used_code_ends_its_family_but_not_for_another_client() {
        let used = PresentedCode { is_consumed: true, ..code() };

        assert!(matches!(redeem(&used, Some(URI), Some(VERIFIER)), Decision::RevokeFamily(_)), "TOK-02");
        let stranger = Redemption { client_id: ClientId::generate(), redirect_uri: Some(URI), code_verifier: Some(VERIFIER) };
        assert!(matches!(decide(&used, stranger, at("2026-01-01T00:00:30Z")), Decision::Refuse(_)), "TOK-04");
    }

    #[test]
    fn what_has_ended_is_refused() {
        for ended in [
            PresentedCode { expires_at: at("2026-01-01T00:00:30Z"), ..code() },
            PresentedCode { is_user_active: false, ..code() },
            PresentedCode { failed_tries: MOST_FAILED_TRIES, ..code() },
            PresentedCode { client_scopes: Scopes::default(), ..code() },
        ] {
            assert!(
                matches!(redeem(&ended, Some(URI), Some(VERIFIER)), Decision::Refuse(error) if error.code == "invalid_grant"),
                "TOK-05"
            );
        }
    }

    #[test]
    fn only_the_verifier_of_the_challenge_fits() {
        let fresh = code();
        let challenge = fresh.code_challenge.clone();
        let lower = VERIFIER.to_lowercase();
        let (short, long) = ("a".repeat(42), "a".repeat(129));
        for wrong in [None, Some(""), Some(&*challenge), Some(&*lower), Some(&*short), Some(&*long), Some("é")] {
            assert!(
                matches!(redeem(&fresh, Some(URI), wrong), Decision::CountFailure(error) if error.code == "invalid_grant"),
                "TOK-07 {wrong:?}"
            );
        }
        for uri in [None, Some("https://app.example.com/cb/"), Some("")] {
            assert!(matches!(redeem(&fresh, uri, Some(VERIFIER)), Decision::CountFailure(_)), "TOK-06 {uri:?}");
        }
    }
}
