//! The deployment's keys: the newest writes, every one reads (what other implementations call MultiFernet).

use std::sync::Arc;

use crate::fernet::{self, DecryptError};
use crate::key::{FernetKey, Key, KeyError};

/// One or more Fernet keys, newest first. A clone shares them.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// Never empty.
    keys: Arc<[FernetKey]>,
}

impl KeyRing {
    /// Takes the keys, newest first.
    pub fn new(keys: Vec<FernetKey>) -> Result<Self, KeyRingError> {
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        Ok(Self { keys: keys.into() })
    }

    /// Reads keys separated by commas, newest first. The errors name the position, never the text.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        if text.trim().is_empty() {
            return Err(KeyRingError::Empty);
        }
        let keys = text
            .split(',')
            .zip(1..)
            .map(|(key, position)| FernetKey::parse(key).map_err(|source| KeyRingError::Key { position, source }));
        Self::new(keys.collect::<Result<_, _>>()?)
    }

    /// Encrypts with the newest key into a Fernet token.
    pub fn encrypt(&self, plaintext: &[u8], now_unix: u64) -> String {
        fernet::encrypt(self.newest(), plaintext, now_unix)
    }

    /// Decrypts a Fernet token with whichever key fits.
    pub fn decrypt(&self, token: &str) -> Result<Vec<u8>, DecryptError> {
        self.open(&fernet::decode(token)?)
    }

    /// Encrypts a token's content anew with the newest key, keeping the time it was written.
    pub fn rotate(&self, token: &str) -> Result<String, DecryptError> {
        let raw = fernet::decode(token)?;
        let plaintext = zeroize::Zeroizing::new(self.open(&raw)?);
        let written = fernet::timestamp(&raw).ok_or(DecryptError::Malformed)?;
        Ok(self.encrypt(&plaintext, written))
    }

    /// Tells whether a token is written with the newest key, so that a rotation can skip it.
    pub fn is_newest(&self, token: &str) -> bool {
        fernet::decrypt(self.newest(), token).is_ok()
    }

    /// The key that writes.
    pub fn newest(&self) -> &FernetKey {
        &self.keys[0]
    }

    /// The public name of the key that opens a token; `None` when none does.
    pub fn opener(&self, token: &str) -> Option<String> {
        self.keys.iter().find(|key| fernet::decrypt(key, token).is_ok()).map(FernetKey::fingerprint)
    }

    /// The keys' public names, newest first.
    pub fn fingerprints(&self) -> Vec<String> {
        self.keys.iter().map(FernetKey::fingerprint).collect()
    }

    pub(crate) fn keys(&self) -> &[FernetKey] {
        &self.keys
    }

    /// Derives a key for one purpose from the newest key, by HKDF-SHA256; it changes when a newer key is added.
    pub fn derive(&self, label: &str) -> Key {
        self.newest().as_key().derive(label)
    }

    /// The same derivation for every key, in order: a ring for one purpose that outlives a rotation.
    pub(crate) fn derive_ring(&self, label: &str) -> Self {
        let derive = |key: &FernetKey| FernetKey::from_key(key.as_key().derive(label));
        Self { keys: self.keys.iter().map(derive).collect() }
    }

    /// Opens a token that is no longer in base64url.
    pub(crate) fn open(&self, token: &[u8]) -> Result<Vec<u8>, DecryptError> {
        for key in self.keys.iter() {
            match fernet::open(key, token) {
                Err(DecryptError::Unauthentic) => {}
                decided => return decided,
            }
        }
        Err(DecryptError::Unauthentic)
    }
}

/// Why a list of keys is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// No key at all.
    #[error("no key is given")]
    Empty,
    /// One of the keys cannot be read.
    #[error("key number {position} of the list is {source}")]
    Key {
        /// Counted from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn listed(keys: &[&FernetKey]) -> KeyRing {
        let encoded: Vec<_> = keys.iter().map(|key| key.encode()).collect();
        let texts: Vec<_> = encoded.iter().map(ExposeSecret::expose_secret).collect();
        KeyRing::parse(&texts.join(", ")).unwrap()
    }

    #[test]
    fn the_newest_key_writes_and_every_key_reads() {
        let (old, new) = (FernetKey::generate(), FernetKey::generate());
        let before = listed(&[&old]).encrypt(b"before", NOW);

        let ring = listed(&[&new, &old]);
        let after = ring.encrypt(b"after", NOW);

        assert_eq!(ring.decrypt(&before).unwrap(), b"before");
        assert_eq!(fernet::decrypt(&new, &after).unwrap(), b"after");
        assert_eq!(fernet::decrypt(&old, &after), Err(DecryptError::Unauthentic));
        assert_eq!(ring.fingerprints(), [new.fingerprint(), old.fingerprint()]);
        assert_eq!((ring.opener(&before), ring.opener(&after)), (Some(old.fingerprint()), Some(new.fingerprint())));
        assert_eq!(listed(&[&new]).opener(&before), None);
    }

    #[test]
    fn a_rotated_token_needs_the_old_key_no_more_and_keeps_its_time() {
        let (old, new) = (FernetKey::generate(), FernetKey::generate());
        let token = listed(&[&old]).encrypt(b"text", NOW);
        let ring = listed(&[&new, &old]);

        let rotated = ring.rotate(&token).unwrap();

        assert!(!ring.is_newest(&token));
        assert!(ring.is_newest(&rotated));
        assert_eq!(listed(&[&new]).decrypt(&rotated).unwrap(), b"text");
        let raw = fernet::decode(&rotated).unwrap();
        assert_eq!(fernet::timestamp(&raw), Some(NOW));
    }

    #[test]
    fn a_missing_key_is_an_error_and_not_a_text() {
        let token = listed(&[&FernetKey::generate()]).encrypt(b"text", NOW);
        let ring = listed(&[&FernetKey::generate(), &FernetKey::generate()]);

        assert_eq!(ring.decrypt(&token), Err(DecryptError::Unauthentic));
        assert_eq!(ring.rotate(&token), Err(DecryptError::Unauthentic));
        assert_eq!(ring.decrypt("plain text"), Err(DecryptError::Malformed));
        assert_eq!(ring.decrypt(""), Err(DecryptError::Malformed));
    }

    #[test]
    fn an_unusable_list_is_refused_by_position() {
        let good = FernetKey::generate().encode();
        let list = format!("{},c2hvcnQ=", good.expose_secret());

        let error = KeyRing::parse(&list).unwrap_err();

        assert_eq!(error.to_string(), "key number 2 of the list is 5 bytes long instead of 32");
        assert_eq!(KeyRing::parse("  ").unwrap_err(), KeyRingError::Empty);
        assert_eq!(KeyRing::new(Vec::new()).unwrap_err(), KeyRingError::Empty);
        assert!(KeyRing::parse(&format!("{},", good.expose_secret())).is_err());
    }

    #[test]
    fn nothing_of_a_ring_is_printed() {
        let ring = listed(&[&FernetKey::generate()]);

        assert_eq!(format!("{ring:?}"), "KeyRing { keys: [FernetKey([redacted])] }");
    }

    #[test]
    fn a_derived_key_follows_the_newest_key() {
        let (old, new) = (FernetKey::generate(), FernetKey::generate());

        let derived = listed(&[&new, &old]).derive("label");

        assert_eq!(derived.as_bytes(), listed(&[&new]).derive("label").as_bytes());
        assert_ne!(derived.as_bytes(), listed(&[&old]).derive("label").as_bytes());
    }

    proptest! {
        #[test]
        fn any_text_survives_any_rotation(text: String, older in 0_usize..4, newer in 0_usize..4) {
            let keys: Vec<_> = (0..=older + newer).map(|_| FernetKey::generate()).collect();
            let all: Vec<_> = keys.iter().collect();
            let token = listed(&all[newer..]).encrypt(text.as_bytes(), NOW);

            let grown = listed(&all);
            let rotated = grown.rotate(&token).unwrap();

            prop_assert_eq!(grown.decrypt(&token).unwrap(), text.as_bytes());
            prop_assert_eq!(listed(&all[..1]).decrypt(&rotated).unwrap(), text.as_bytes());
        }
    }
}
