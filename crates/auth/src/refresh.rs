//! What happens to a refresh token that is presented (RFC 9700 section 4.14, REF-01 to REF-09).

use std::time::Duration;

use picard_domain::{ClientId, Scopes, Timestamp};

use crate::OAuthError;

/// A refresh token dies when it is not used for this long.
pub const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// A grant dies after this long, however often it was refreshed.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// A refresh token and the state of what it depends on.
#[derive(Debug, Clone)]
pub struct PresentedToken {
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// What the grant allows.
    pub granted: Scopes,
    /// What the client may have at all by now.
    pub client_scopes: Scopes,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// When the grant ends.
    pub grant_expires_at: Timestamp,
    /// Whether the grant was revoked.
    pub is_revoked: bool,
    /// Whether the account may be used.
    pub is_user_active: bool,
    /// When the token was used.
    pub consumed_at: Option<Timestamp>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Rotate it; the new access token gets these scopes.
    Rotate(Scopes),
    /// Refuse, and leave everything as it is.
    Refuse(OAuthError),
    /// Refuse and end the family: somebody has a token that was used long ago.
    RevokeFamily(OAuthError),
}

/// Decides about a presented token.
#[must_use]
pub fn decide(token: &PresentedToken, client: ClientId, scope: Option<&Scopes>, now: Timestamp, leeway: Duration) -> Decision {
    let invalid = || OAuthError::invalid_grant("The refresh token is not valid (any more): connect again.");
    // Another client's token: its own client must not be able to lose it this way (REF-06).
    if token.client_id != client || token.is_revoked || !token.is_user_active {
        return Decision::Refuse(invalid());
    }
    if let Some(consumed_at) = token.consumed_at {
        let age = now.as_offset_date_time() - consumed_at.as_offset_date_time();
        // Within the leeway it is most likely the same client asking twice at once (REF-05).
        return if age <= leeway { Decision::Refuse(invalid()) } else { Decision::RevokeFamily(invalid()) };
    }
    if token.expires_at <= now || token.grant_expires_at <= now {
        return Decision::Refuse(invalid());
    }
    let available = token.granted.intersection(&token.client_scopes);
    match scope {
        None if available.is_empty() => Decision::Refuse(invalid()),
        None => Decision::Rotate(available),
        Some(wanted) if !wanted.is_empty() && wanted.is_subset(&available) => Decision::Rotate(wanted.clone()),
        Some(_) => Decision::Refuse(OAuthError::invalid_scope("The scope is more than was granted.")),
    }
}

#[cfg(test)]
mod tests {
    use picard_domain::Scope;

    use super::*;

    const LEEWAY: Duration = Duration::from_secs(10);

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn token() -> PresentedToken {
        PresentedToken {
            client_id: ClientId::generate(),
            granted: [Scope::Read, Scope::Write].into_iter().collect(),
            client_scopes: Scope::ALL.into_iter().collect(),
            expires_at: at("2026-02-01T00:00:00Z"),
            grant_expires_at: at("2026-03-01T00:00:00Z"),
            is_revoked: false,
            is_user_active: true,
            consumed_at: None,
        }
    }

    fn now() -> Timestamp {
        at("2026-01-01T00:01:00Z")
    }

    #[test]
    fn a_fresh_token_rotates_with_no_more_than_was_granted() {
        let token = token();
        let read: Scopes = [Scope::Read].into_iter().collect();
        let admin: Scopes = [Scope::Admin].into_iter().collect();
        let decide = |scope| decide(&token, token.client_id, scope, now(), LEEWAY);

        assert_eq!(decide(None), Decision::Rotate(token.granted.clone()), "REF-01");
        assert_eq!(decide(Some(&read)), Decision::Rotate(read.clone()), "REF-07");
        assert!(matches!(decide(Some(&admin)), Decision::Refuse(error) if error.code == "invalid_scope"), "REF-07");

        let cut = PresentedToken { client_scopes: read.clone(), ..token.clone() };
        assert_eq!(
            super::decide(&cut, cut.client_id, None, now(), LEEWAY),
            Decision::Rotate(read),
            "REF-07: cut by an administrator"
        );
    }

    #[test]
    fn a_used_token_ends_the_family_once_the_leeway_is_over() {
        let used = |consumed: &str| PresentedToken { consumed_at: Some(at(consumed)), ..token() };

        let just_now = used("2026-01-01T00:00:50Z");
        assert!(matches!(decide(&just_now, just_now.client_id, None, now(), LEEWAY), Decision::Refuse(_)), "REF-05");
        assert!(
            matches!(decide(&just_now, just_now.client_id, None, now(), Duration::ZERO), Decision::RevokeFamily(_)),
            "REF-05"
        );

        let earlier = used("2026-01-01T00:00:49Z");
        assert!(matches!(decide(&earlier, earlier.client_id, None, now(), LEEWAY), Decision::RevokeFamily(_)), "REF-02");
        assert!(matches!(decide(&earlier, ClientId::generate(), None, now(), LEEWAY), Decision::Refuse(_)), "REF-06");
    }

    #[test]
    fn what_has_ended_is_refused() {
        for ended in [
            PresentedToken { is_revoked: true, ..token() },
            PresentedToken { is_user_active: false, ..token() },
            PresentedToken { expires_at: now(), ..token() },
            PresentedToken { grant_expires_at: now(), ..token() },
        ] {
            let decision = decide(&ended, ended.client_id, None, now(), LEEWAY);
            assert!(matches!(decision, Decision::Refuse(error) if error.code == "invalid_grant"), "REF-08, REF-09");
        }
    }
}
