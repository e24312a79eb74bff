//! Keys in memory: boxed so that a move leaves no copy behind, wiped on drop, never printed.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::token::fill_random;

/// Fixed salt: it separates Picard's derivations from those of anything else that may be given the same key.
const DERIVATION_SALT: &[u8] = b"picard key derivation 1";

/// Shells and secret stores like to drop the padding of a key; it carries no information.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// 32 secret bytes.
pub struct Key(SecretBox<[u8; 32]>);

impl Key {
    /// Shows the bytes to a cipher.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    pub(crate) fn random() -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
            fill_random(bytes);
        }))
    }

    /// Takes exactly 32 bytes.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Some(Self(SecretBox::init_with_mut(|own: &mut [u8; 32]| {
            own.copy_from_slice(bytes);
        })))
    }

    /// HKDF-SHA256 (RFC 5869): one independent key per label.
    pub(crate) fn derive(&self, label: &str) -> Self {
        let derivation = Hkdf::<Sha256>::new(Some(DERIVATION_SALT), self.as_bytes());
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
            derivation.expand(label.as_bytes(), bytes).expect("32 bytes are within what HKDF-SHA256 can give");
        }))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key([redacted])")
    }
}

/// A Fernet key: 16 bytes that sign, then 16 that encrypt.
pub struct FernetKey(Key);

impl FernetKey {
    /// Makes a key from the operating system's randomness.
    pub fn generate() -> Self {
        Self(Key::random())
    }

    /// Reads base64url or base64 of 32 bytes, with or without padding; the errors never repeat the input. Secret stores
    /// and `openssl rand -base64 32` write the latter, and Fernet implementations read both.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = Zeroizing::new(text.trim().replace('+', "-").replace('/', "_"));
        let bytes = Zeroizing::new(KEY_ENCODING.decode(text.as_str()).map_err(|_| KeyError::NotBase64)?);
        Key::from_slice(&bytes).map(Self).ok_or(KeyError::WrongLength { bytes: bytes.len() })
    }

    /// Writes the key as every Fernet implementation reads it: padded base64url, 44 characters.
    pub fn encode(&self) -> SecretString {
        SecretString::from(URL_SAFE.encode(self.0.as_bytes()))
    }

    /// Names the key in logs and rows without giving it away: 8 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::new().chain_update(b"picard key fingerprint 1").chain_update(self.0.as_bytes()).finalize();
        hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn from_key(key: Key) -> Self {
        Self(key)
    }

    pub(crate) fn as_key(&self) -> &Key {
        &self.0
    }

    pub(crate) fn signing_half(&self) -> &[u8; 16] {
        self.0.as_bytes().first_chunk().expect("a key has 32 bytes")
    }

    pub(crate) fn encryption_half(&self) -> &[u8; 16] {
        self.0.as_bytes().last_chunk().expect("a key has 32 bytes")
    }
}

impl fmt::Debug for FernetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FernetKey([redacted])")
    }
}

/// Why a text is no Fernet key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A character outside the base64url alphabet, or a cut-off text.
    #[error("not base64url")]
    NotBase64,
    /// Decodes, but not to 32 bytes.
    #[error("{bytes} bytes long instead of 32")]
    WrongLength {
        /// The decoded length.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODED: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    #[test]
    fn a_key_survives_its_encoding() {
        let key = FernetKey::generate();

        let again = FernetKey::parse(key.encode().expose_secret()).unwrap();

        assert_eq!(key.encode().expose_secret().len(), 44);
        assert_eq!(key.as_key().as_bytes(), again.as_key().as_bytes());
    }

    #[test]
    fn padding_and_surrounding_space_do_not_matter() {
        let bare = format!(" {}\n", ENCODED.trim_end_matches('='));

        let key = FernetKey::parse(&bare).unwrap();

        assert_eq!(key.encode().expose_secret(), ENCODED);
    }

    #[test]
    fn both_alphabets_of_base64_are_read() {
        let key = FernetKey::parse("cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=").unwrap();

        assert_eq!(key.encode().expose_secret(), "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let refused = [
            ("", KeyError::WrongLength { bytes: 0 }),
            ("c2hvcnQ=", KeyError::WrongLength { bytes: 5 }),
            ("not base64!", KeyError::NotBase64),
        ];

        for (text, expected) in refused {
            let error = FernetKey::parse(text).unwrap_err();
            assert_eq!(error, expected);
            assert!(text.is_empty() || !format!("{error} {error:?}").contains(text));
        }
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let key = FernetKey::parse(ENCODED).unwrap();

        assert_eq!(format!("{key:?}"), "FernetKey([redacted])");
        assert_eq!(format!("{:?}", key.as_key()), "Key([redacted])");
    }

    /// The expected values of this test and the next come from Python's hashlib and cryptography.
    #[test]
    fn a_fingerprint_never_changes_and_differs_between_keys() {
        let key = FernetKey::parse(ENCODED).unwrap();

        assert_eq!(key.fingerprint(), "a0fdbdb9");
        assert_ne!(key.fingerprint(), FernetKey::generate().fingerprint());
    }

    #[test]
    fn each_label_derives_its_own_key_for_ever() {
        let key = FernetKey::parse(ENCODED).unwrap();

        let cursors = FernetKey::from_key(key.as_key().derive("cursors"));
        let other = FernetKey::from_key(key.as_key().derive("cursor"));

        assert_eq!(cursors.encode().expose_secret(), "FAqdrVhA4oC8tIO1KQNLyoWIo24bUrQ-JZIMwMSnaeE=");
        assert_ne!(cursors.encode().expose_secret(), other.encode().expose_secret());
    }
}
