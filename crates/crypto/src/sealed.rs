//! Values handed to strangers who must bring them back unchanged and unread: cursors of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fernet;
use crate::key_ring::KeyRing;

/// Keys for one purpose, derived from every key of the ring by a label: what one label seals, another cannot open.
#[derive(Debug, Clone)]
pub struct SealingKey(KeyRing);

impl SealingKey {
    /// Derives the keys for a label such as `"memory cursor"`.
    pub fn derive(ring: &KeyRing, label: &str) -> Self {
        Self(ring.derive_ring(label))
    }

    /// Encrypts and authenticates; the answer is base64url without padding and goes into a URL as it is.
    pub fn seal(&self, value: &[u8]) -> String {
        // The token's time is left at zero: it would only tell strangers when the value was made.
        URL_SAFE_NO_PAD.encode(fernet::seal(self.0.newest(), value, 0))
    }

    /// Opens what was sealed under this label with any key still in the ring; anything else is nothing.
    pub fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let raw = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        self.0.open(&raw).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::key::FernetKey;

    fn cursors(keys: &[&FernetKey]) -> SealingKey {
        SealingKey::derive(&ring(keys), "cursors")
    }

    fn ring(keys: &[&FernetKey]) -> KeyRing {
        let copy = |key: &&FernetKey| FernetKey::parse(key.encode().expose_secret()).unwrap();
        KeyRing::new(keys.iter().map(copy).collect()).unwrap()
    }

    #[test]
    fn a_sealed_value_outlives_a_rotation_but_not_its_key() {
        let (old, new) = (FernetKey::generate(), FernetKey::generate());

        let sealed = cursors(&[&old]).seal(b"page 2");

        assert_eq!(cursors(&[&new, &old]).open(&sealed).unwrap(), b"page 2");
        assert_eq!(cursors(&[&new]).open(&sealed), None);
    }

    #[test]
    fn labels_and_the_ring_itself_are_worlds_apart() {
        let key = FernetKey::generate();
        let sealed = cursors(&[&key]).seal(b"value");

        assert_eq!(SealingKey::derive(&ring(&[&key]), "other").open(&sealed), None);
        assert!(ring(&[&key]).decrypt(&sealed).is_err());
        let token = ring(&[&key]).encrypt(b"value", 0);
        assert_eq!(cursors(&[&key]).open(token.trim_end_matches('=')), None);
    }

    #[test]
    fn a_sealed_value_goes_into_a_url_and_shows_nothing() {
        let key = FernetKey::generate();

        let sealed = cursors(&[&key]).seal(b"secret position");

        assert!(sealed.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
        let raw = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        assert!(!raw.windows(6).any(|window| window == b"secret"));
    }

    proptest! {
        #[test]
        fn any_value_comes_back_and_nothing_else_opens(value: Vec<u8>, made_up: String, at: prop::sample::Index) {
            let cursors = cursors(&[&FernetKey::generate()]);

            let sealed = cursors.seal(&value);
            let at = at.index(sealed.len());
            let other = if sealed.as_bytes()[at] == b'A' { 'B' } else { 'A' };
            let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);

            prop_assert_eq!(cursors.open(&sealed), Some(value));
            prop_assert_eq!(cursors.open(&changed), None);
            prop_assert_eq!(cursors.open(&sealed[..at]), None);
            prop_assert_eq!(cursors.open(&made_up), None);
        }
    }
}
