//! Keyed hashes: what can be compared without being read. Keyword search stores words only in this form, and calls
//! that count once are recognised by it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::data_key::DataKey;

/// HMAC-SHA256 under a key that is derived from a data key for one purpose.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// Derives the key for a purpose; hashes of different purposes have nothing in common.
    pub fn derive(key: &DataKey, purpose: &str) -> Self {
        let derived = key.as_fernet().as_key().derive(purpose);
        Self(Hmac::new_from_slice(derived.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// Hashes a word into 64 bits, as PostgreSQL's `bigint`. Two words of one text fall together once in 2^64.
    #[must_use]
    pub fn word(&self, word: &str) -> i64 {
        let hash = self.digest(word.as_bytes());
        i64::from_be_bytes(*hash.first_chunk().expect("32 bytes begin with 8"))
    }

    /// Hashes anything into 32 bytes.
    #[must_use]
    pub fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        // Cloned with the key already worked in, which halves the cost of a short word.
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyedHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_hash_under_one_key_and_another_under_another() {
        let (ada, bob) = (DataKey::generate(), DataKey::generate());
        let words = KeyedHash::derive(&ada, "words");
        assert_eq!(words.word("tea"), KeyedHash::derive(&ada, "words").word("tea"));
        assert_ne!(words.word("tea"), words.word("teas"));
        assert_ne!(words.word("tea"), KeyedHash::derive(&bob, "words").word("tea"));
        assert_ne!(words.word("tea"), KeyedHash::derive(&ada, "calls").word("tea"));
        assert_eq!(format!("{words:?}"), "KeyedHash([redacted])");
    }
}
