//! Random secrets that travel, and what the database keeps of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Makes a secret of 256 random bits: 43 characters of base64url, safe in URLs, headers and cookies.
pub fn random_token() -> SecretString {
    let bytes = Zeroizing::new(random_bytes::<32>());
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

/// Hashes a secret for the database, with SHA-256: only for secrets of high entropy, never for a password, which
/// could be guessed at this speed.
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by its duration where the difference is; only the lengths are no secret.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// There is no way to go on safely without randomness, and no caller that could do better than stop.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// The SHA-256 of a stream, piece by piece.
#[derive(Debug, Clone, Default)]
pub struct StreamHash(Sha256);

impl StreamHash {
    /// Takes the next piece in.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces, in hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn ten_thousand_tokens_are_long_enough_and_never_repeat() {
        let tokens: HashSet<String> = (0..10_000).map(|_| random_token().expose_secret().to_owned()).collect();

        assert_eq!(tokens.len(), 10_000);
        for token in &tokens {
            assert_eq!(token.len(), 43);
            let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(token.chars().all(is_base64url));
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = random_token();

        assert!(!format!("{token:?}").contains(token.expose_secret()));
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn the_hash_is_sha_256() {
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61,
            0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];

        assert_eq!(hash_token("abc"), expected);
    }

    #[test]
    fn only_equal_bytes_are_equal() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"secret", b"secret"));
        assert!(!constant_time_eq(b"secret", b"secreT"));
        assert!(!constant_time_eq(b"secret", b"secre"));
    }
}
