//! One key per person. Everything a person writes is sealed with it, and it is stored only wrapped by the ring:
//! destroying the wrapped key makes the person's texts unreadable in every copy, backups too.

use zeroize::Zeroizing;

use crate::fernet::DecryptError;
use crate::key::{FernetKey, Key};
use crate::key_ring::KeyRing;

/// First byte of what is wrapped, so that neither a text nor a later format is mistaken for a key.
const FORMAT: u8 = 2;
const WRAPPED_LENGTH: usize = 1 + 16 + 32;

/// A person's key.
#[derive(Debug)]
pub struct DataKey(FernetKey);

impl DataKey {
    /// Makes a key from the operating system's randomness.
    pub fn generate() -> Self {
        Self(FernetKey::generate())
    }

    /// Wraps the key for storage in this person's row: a Fernet token, to be renewed with [`KeyRing::rotate`].
    pub fn wrap(&self, ring: &KeyRing, user_id: [u8; 16], now_unix: u64) -> String {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(WRAPPED_LENGTH));
        plaintext.push(FORMAT);
        plaintext.extend_from_slice(&user_id);
        plaintext.extend_from_slice(self.0.as_key().as_bytes());
        ring.encrypt(&plaintext, now_unix)
    }

    /// Unwraps the key of this person; one taken from another person's row is [`DecryptError::Misplaced`].
    pub fn unwrap(ring: &KeyRing, user_id: [u8; 16], wrapped: &str) -> Result<Self, DecryptError> {
        let plaintext = Zeroizing::new(ring.decrypt(wrapped)?);
        let (&format, rest) = plaintext.split_first().ok_or(DecryptError::Malformed)?;
        let (owner, key) = rest.split_at_checked(16).ok_or(DecryptError::Malformed)?;
        if format != FORMAT {
            return Err(DecryptError::Malformed);
        }
        if owner != user_id {
            return Err(DecryptError::Misplaced);
        }
        let key = Key::from_slice(key).ok_or(DecryptError::Malformed)?;
        Ok(Self(FernetKey::from_key(key)))
    }

    pub(crate) fn as_fernet(&self) -> &FernetKey {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const ADA: [u8; 16] = [0xAD; 16];
    const BOB: [u8; 16] = [0xB0; 16];

    fn ring() -> KeyRing {
        KeyRing::new(vec![FernetKey::generate()]).unwrap()
    }

    fn bytes(key: &DataKey) -> &[u8; 32] {
        key.as_fernet().as_key().as_bytes()
    }

    #[test]
    fn a_wrapped_key_comes_back_for_its_person() {
        let (ring, key) = (ring(), DataKey::generate());

        let wrapped = key.wrap(&ring, ADA, NOW);

        assert_eq!(bytes(&DataKey::unwrap(&ring, ADA, &wrapped).unwrap()), bytes(&key));
    }

    #[test]
    fn another_person_s_wrapped_key_is_misplaced() {
        let ring = ring();
        let wrapped = DataKey::generate().wrap(&ring, BOB, NOW);

        let error = DataKey::unwrap(&ring, ADA, &wrapped).unwrap_err();

        assert_eq!(error, DecryptError::Misplaced);
    }

    #[test]
    fn a_key_is_rewrapped_when_the_ring_rotates() {
        let (old, new) = (FernetKey::generate(), FernetKey::generate());
        let (old_copy, new_copy) = (copy(&old), copy(&new));
        let key = DataKey::generate();
        let wrapped = key.wrap(&KeyRing::new(vec![old]).unwrap(), ADA, NOW);

        let both = KeyRing::new(vec![new, old_copy]).unwrap();
        let rewrapped = both.rotate(&wrapped).unwrap();

        let only_new = KeyRing::new(vec![new_copy]).unwrap();
        let again = DataKey::unwrap(&only_new, ADA, &rewrapped).unwrap();
        assert_eq!(bytes(&again), bytes(&key));
        let lost = DataKey::unwrap(&only_new, ADA, &wrapped).unwrap_err();
        assert_eq!(lost, DecryptError::Unauthentic);
    }

    #[test]
    fn what_is_no_wrapped_key_is_refused() {
        let ring = ring();
        let with_owner = |format: u8, length: usize| {
            let mut plaintext = vec![format];
            plaintext.extend_from_slice(&ADA);
            plaintext.resize(17 + length, 7);
            plaintext
        };

        for plaintext in [Vec::new(), vec![FORMAT], with_owner(1, 32), with_owner(FORMAT, 31), with_owner(FORMAT, 33)] {
            let error = DataKey::unwrap(&ring, ADA, &ring.encrypt(&plaintext, NOW)).unwrap_err();
            assert_eq!(error, DecryptError::Malformed, "{plaintext:?}");
        }
    }

    #[test]
    fn nothing_of_a_data_key_is_printed() {
        assert_eq!(format!("{:?}", DataKey::generate()), "DataKey(FernetKey([redacted]))");
    }

    fn copy(key: &FernetKey) -> FernetKey {
        FernetKey::from_key(Key::from_slice(key.as_key().as_bytes()).unwrap())
    }
}
