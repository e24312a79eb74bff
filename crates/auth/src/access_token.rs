//! Access tokens: JWTs as RFC 9068 describes them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use picard_domain::{GrantId, Scopes, TokenId, UserId};
use serde::{Deserialize, Serialize};

use crate::{KeySet, OAuthError};

/// How long an access token lives.
pub const LIFETIME: Duration = Duration::from_secs(3_600);
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 30;
/// Longer tokens are not looked at.
const MOST_BYTES: usize = 8_192;

/// Who signs and whom a token may be for.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The server's public URL: the issuer, and the audience of tokens for the REST API.
    pub url: String,
}

impl Issuer {
    /// The audience of tokens for the MCP endpoint.
    #[must_use]
    pub fn mcp_audience(&self) -> String {
        format!("{}/mcp", self.url)
    }

    /// Whom a token is for that is asked for with this `resource` (RFC 8707); `None` when it is none of ours.
    #[must_use]
    pub fn audience_of(&self, resource: &str) -> Option<String> {
        let wanted = resource.strip_suffix('/').unwrap_or(resource);
        [self.url.clone(), self.mcp_audience()].into_iter().find(|audience| audience == wanted)
    }

    /// Says which resources there are.
    #[must_use]
    pub fn unknown_resource(&self) -> OAuthError {
        OAuthError::invalid_target(format!("The resources are {} and {}.", self.url, self.mcp_audience()))
    }
}

/// What a verified access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenClaims {
    /// The token's id.
    pub token_id: TokenId,
    /// The person.
    pub user_id: UserId,
    /// The client, as it names itself: its id, or the address of its metadata document.
    pub client_id: String,
    /// The grant that it came of.
    pub grant_id: GrantId,
    /// What it allows.
    pub scopes: Scopes,
    /// Whom it is for: the server's URL, or the MCP endpoint's.
    pub audience: String,
    /// When it was issued, in seconds since 1970.
    pub issued_at: i64,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
}

/// The claims as they stand in the token. The types are strict on purpose: a number that is a text, a fraction or
/// null makes the token malformed instead of being read as absent (JWT-03).
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    scope: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number")]
    nbf: Option<i64>,
    jti: String,
    /// The grant: what one revocation ends.
    sid: String,
}

fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(deserializer).map(Some)
}

/// Says that a token does not hold. Why is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// Signs a token that says this.
///
/// # Errors
/// When the signing key cannot be used.
pub fn issue(keys: &KeySet, issuer: &Issuer, claims: &AccessTokenClaims) -> Result<String, jsonwebtoken::errors::Error> {
    let (kid, key) = keys.signing();
    let header = Header { typ: Some("at+jwt".to_owned()), kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    let body = Claims {
        iss: issuer.url.clone(),
        aud: claims.audience.clone(),
        sub: claims.user_id.to_string(),
        client_id: claims.client_id.clone(),
        scope: claims.scopes.to_string(),
        iat: claims.issued_at,
        exp: claims.expires_at,
        nbf: None,
        jti: claims.token_id.to_string(),
        sid: claims.grant_id.to_string(),
    };
    jsonwebtoken::encode(&header, &body, key)
}

/// Verifies signature, kind, issuer, audience and time.
///
/// # Errors
/// [`InvalidToken`] for everything that is not a token of ours for here and now.
pub fn verify(keys: &KeySet, issuer: &Issuer, token: &str, now: i64) -> Result<AccessTokenClaims, InvalidToken> {
    if token.len() > MOST_BYTES {
        return Err(InvalidToken);
    }
    let key = keys.verifying(&checked_kid(token)?).ok_or(InvalidToken)?;
    let mut validation = Validation::new(Algorithm::ES256);
    // The clock is given, so the times are checked below; issuer and audience too, by exact comparison.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| InvalidToken)?.claims;
    let is_in_time = claims.exp > now && claims.iat <= now + SKEW && claims.nbf.is_none_or(|nbf| nbf <= now + SKEW);
    let is_for_us = claims.iss == issuer.url && (claims.aud == issuer.url || claims.aud == issuer.mcp_audience());
    if !is_in_time || !is_for_us {
        return Err(InvalidToken);
    }
    Ok(AccessTokenClaims {
        token_id: claims.jti.parse().map_err(|_| InvalidToken)?,
        user_id: claims.sub.parse().map_err(|_| InvalidToken)?,
        client_id: claims.client_id,
        grant_id: claims.sid.parse().map_err(|_| InvalidToken)?,
        scopes: claims.scope.parse().map_err(|_| InvalidToken)?,
        audience: claims.aud,
        issued_at: claims.iat,
        expires_at: claims.exp,
    })
}

/// The key that a token of ours names; `None` when it cannot be one.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    if token.len() > MOST_BYTES { None } else { checked_kid(token).ok() }
}

/// Reads the header before anything else: only `at+jwt` signed with ES256 and without extensions that have to be
/// understood (`crit`) is an access token; a text of another kind is not one, whoever signed it (JWT-01, 05, 06).
fn checked_kid(token: &str) -> Result<String, InvalidToken> {
    #[derive(Deserialize)]
    struct TokenHeader {
        typ: String,
        alg: String,
        kid: String,
        crit: Option<serde_json::Value>,
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidToken);
    };
    let decoded = URL_SAFE_NO_PAD.decode(header).map_err(|_| InvalidToken)?;
    let header: TokenHeader = serde_json::from_slice(&decoded).map_err(|_| InvalidToken)?;
    let typ = header.typ.to_ascii_lowercase();
    let is_ours = (typ == "at+jwt" || typ == "application/at+jwt") && header.alg == "ES256" && header.crit.is_none();
    if is_ours { Ok(header.kid) } else { Err(InvalidToken) }
}

#[cfg(test)]
#[path = "access_token_tests.rs"]
mod tests;
