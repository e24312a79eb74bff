//! Keys that work and protect nothing: made by hand, copied from a document, or listed twice.

use crate::key::FernetKey;
use crate::key_ring::KeyRing;

/// Keys that stand in documents which everybody can read: the Fernet specification's.
const PUBLISHED: [&str; 1] = ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="];

/// Of 32 random bytes fewer than this many differ in less than one of 10^14 keys.
const FEWEST_DIFFERENT_BYTES: usize = 16;

/// What is doubtful about a key, by its place in the list, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyDoubt {
    /// Somebody can find it by guessing.
    #[error("key number {position} of the list was not made at random")]
    Guessable {
        /// Counted from 1.
        position: usize,
    },
    /// It stands in the list before.
    #[error("key number {position} of the list is the same as number {first}")]
    Repeated {
        /// Counted from 1.
        position: usize,
        /// Where it stands first.
        first: usize,
    },
}

impl KeyRing {
    /// Everything that is doubtful about the keys, in their order.
    pub fn doubts(&self) -> Vec<KeyDoubt> {
        let mut doubts = Vec::new();
        for (index, key) in self.keys().iter().enumerate() {
            let position = index + 1;
            let same = |other: &FernetKey| other.as_key().as_bytes() == key.as_key().as_bytes();
            match self.keys()[..index].iter().position(same) {
                Some(first) => doubts.push(KeyDoubt::Repeated { position, first: first + 1 }),
                None if is_guessable(key) => doubts.push(KeyDoubt::Guessable { position }),
                None => {}
            }
        }
        doubts
    }
}

fn is_guessable(key: &FernetKey) -> bool {
    let bytes = key.as_key().as_bytes();
    let mut sorted = zeroize::Zeroizing::new(*bytes);
    sorted.sort_unstable();
    let different = 1 + sorted.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let step = bytes[1].wrapping_sub(bytes[0]);
    let is_sequence = bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let is_published =
        PUBLISHED.iter().any(|published| FernetKey::parse(published).is_ok_and(|known| known.as_key().as_bytes() == bytes));
    different < FEWEST_DIFFERENT_BYTES || is_sequence || is_text || is_published
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn keys_made_at_random_are_beyond_doubt() {
        for _ in 0..1_000 {
            let ring = KeyRing::new(vec![FernetKey::generate(), FernetKey::generate()]).unwrap();

            assert_eq!(ring.doubts(), []);
        }
    }

    #[test]
    fn keys_that_can_be_guessed_are_named_by_their_place() {
        let sequence: Vec<u8> = (0..32).collect();
        let good = FernetKey::generate().encode();
        let halves = [7_u8, 9].repeat(16);
        for bytes in [[0_u8; 32].as_slice(), b"my very secret encryption key 01".as_slice(), &sequence, &halves] {
            let ring = KeyRing::parse(&format!("{},{}", good.expose_secret(), URL_SAFE.encode(bytes))).unwrap();

            assert_eq!(ring.doubts(), [KeyDoubt::Guessable { position: 2 }], "OPS-01");
        }
        assert_eq!(KeyRing::parse(PUBLISHED[0]).unwrap().doubts(), [KeyDoubt::Guessable { position: 1 }], "OPS-01");
    }

    #[test]
    fn a_key_that_is_listed_twice_is_named() {
        let (one, two) = (FernetKey::generate().encode(), FernetKey::generate().encode());
        let list = format!("{0},{1},{0}", one.expose_secret(), two.expose_secret());

        assert_eq!(KeyRing::parse(&list).unwrap().doubts(), [KeyDoubt::Repeated { position: 3, first: 1 }]);
    }
}
