//! Proof Key for Code Exchange (RFC 7636), the only method offered: S256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::hash_token;

/// Turns a code verifier into its challenge (RFC 7636, section 4.2); whether the verifier is well-formed is the
/// caller's question.
pub fn pkce_s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(hash_token(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_of_the_standard_comes_out() {
        let challenge = pkce_s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");

        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
