//! Texts sealed for one row. Fernet alone would decrypt a text that somebody moved to another row of the database;
//! the envelope carries the row's identity inside the ciphertext, so that a moved or replayed text is refused.

use zeroize::Zeroizing;

use crate::data_key::DataKey;
use crate::fernet::{self, DecryptError};

/// First byte inside the ciphertext: which layout follows.
const FORMAT: u8 = 1;
const HEADER: usize = 1 + 16 + 16 + 8;

/// The one place a text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextBinding {
    /// The memory's id.
    pub memory_id: [u8; 16],
    /// The id of the person whose data key seals it.
    pub owner_id: [u8; 16],
    /// The version of the text: an older one cannot be put back unnoticed.
    pub version: i64,
}

impl TextBinding {
    fn header(&self) -> [u8; HEADER] {
        let mut header = [FORMAT; HEADER];
        header[1..17].copy_from_slice(&self.memory_id);
        header[17..33].copy_from_slice(&self.owner_id);
        header[33..].copy_from_slice(&self.version.to_be_bytes());
        header
    }
}

/// Seals a text for its row: a Fernet token over format, memory, owner, version (big endian) and the UTF-8 text.
pub fn seal_text(key: &DataKey, binding: &TextBinding, text: &str, now_unix: u64) -> String {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(HEADER + text.len()));
    plaintext.extend_from_slice(&binding.header());
    plaintext.extend_from_slice(text.as_bytes());
    fernet::encrypt(key.as_fernet(), &plaintext, now_unix)
}

/// Opens a text that was sealed for this row; for any other it is [`DecryptError::Misplaced`].
pub fn open_text(key: &DataKey, binding: &TextBinding, token: &str) -> Result<String, DecryptError> {
    let mut plaintext = fernet::decrypt(key.as_fernet(), token)?;
    match plaintext.first_chunk::<HEADER>() {
        Some(header) if header[0] != FORMAT => return Err(DecryptError::Malformed),
        Some(header) if *header != binding.header() => return Err(DecryptError::Misplaced),
        Some(_) => {}
        None => return Err(DecryptError::Malformed),
    }
    plaintext.drain(..HEADER);
    String::from_utf8(plaintext).map_err(|_| DecryptError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const HERE: TextBinding = TextBinding { memory_id: [1; 16], owner_id: [2; 16], version: 3 };

    #[test]
    fn a_text_comes_back_byte_for_byte() {
        let key = DataKey::generate();
        let marks = "e".to_owned() + &"\u{301}".repeat(50_000);
        let large = "x".repeat(1_000_000);

        for text in ["", "\0", "🖖🏽 Tea, Earl Grey", "\u{202e}שלום", &marks, &large] {
            let token = seal_text(&key, &HERE, text, NOW);
            assert_eq!(open_text(&key, &HERE, &token).unwrap(), text);
        }
    }

    #[test]
    fn the_layout_inside_the_token_is_fixed() {
        let key = DataKey::generate();
        let binding = TextBinding { version: 0x0102_0304_0506_0708, ..HERE };

        let token = seal_text(&key, &binding, "text", NOW);

        let inside = fernet::decrypt(key.as_fernet(), &token).unwrap();
        let expected = [&[1][..], &[1; 16], &[2; 16], &[1, 2, 3, 4, 5, 6, 7, 8], b"text"].concat();
        assert_eq!(inside, expected);
    }

    #[test]
    fn a_text_in_another_row_is_misplaced() {
        let key = DataKey::generate();
        let token = seal_text(&key, &HERE, "text", NOW);

        for elsewhere in [
            TextBinding { memory_id: [9; 16], ..HERE },
            TextBinding { owner_id: [9; 16], ..HERE },
            TextBinding { version: 2, ..HERE },
            TextBinding { version: -3, ..HERE },
        ] {
            let opened = open_text(&key, &elsewhere, &token);
            assert_eq!(opened, Err(DecryptError::Misplaced), "{elsewhere:?}");
        }
    }

    #[test]
    fn another_person_s_key_opens_no_text() {
        let token = seal_text(&DataKey::generate(), &HERE, "text", NOW);

        let opened = open_text(&DataKey::generate(), &HERE, &token);

        assert_eq!(opened, Err(DecryptError::Unauthentic));
    }

    #[test]
    fn what_is_no_sealed_text_is_refused() {
        let key = DataKey::generate();
        let header = HERE.header();
        let mut unknown_format = header.to_vec();
        unknown_format[0] = 2;

        let insides = [Vec::new(), header[..HEADER - 1].to_vec(), unknown_format, [&header[..], &[0xFF]].concat()];
        let sealed = insides.map(|inside| fernet::encrypt(key.as_fernet(), &inside, NOW));

        let plain = [String::new(), "a plain text".to_owned()];
        for token in sealed.iter().chain(&plain) {
            assert_eq!(open_text(&key, &HERE, token), Err(DecryptError::Malformed));
        }
    }

    prop_compose! {
        fn any_binding()(memory_id: [u8; 16], owner_id: [u8; 16], version: i64) -> TextBinding {
            TextBinding { memory_id, owner_id, version }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_to_its_row_only(text: String, here in any_binding(), there in any_binding()) {
            let key = DataKey::generate();

            let token = seal_text(&key, &here, &text, NOW);

            prop_assert_eq!(open_text(&key, &here, &token).unwrap(), text);
            if here != there {
                prop_assert_eq!(open_text(&key, &there, &token), Err(DecryptError::Misplaced));
            }
        }

        #[test]
        fn a_damaged_token_gives_an_error(text: String, at: prop::sample::Index, change in any::<char>()) {
            let key = DataKey::generate();
            let token = seal_text(&key, &HERE, &text, NOW);
            let at = at.index(token.len());
            let damaged = format!("{}{change}{}", &token[..at], &token[at + 1..]);

            prop_assert!(open_text(&key, &HERE, &token[..at]).is_err());
            prop_assert!(damaged == token || open_text(&key, &HERE, &damaged).is_err());
        }
    }
}
