//! Fernet tokens as the public specification (github.com/fernet/spec, version 0x80) has them.
//!
//! Fernet has no associated data: two tokens of one key can be swapped unnoticed. What is stored in rows goes through
//! [`crate::seal_text`] or [`crate::DataKey::wrap`], which put the row's identity inside. There is no maximum age.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::key::FernetKey;
use crate::token::random_bytes;

const VERSION: u8 = 0x80;
const BLOCK: usize = 16;

/// Encrypts under a fresh random IV; the time of writing, in Unix seconds, is readable in the token.
pub fn encrypt(key: &FernetKey, plaintext: &[u8], now_unix: u64) -> String {
    URL_SAFE.encode(seal(key, plaintext, now_unix))
}

/// Decrypts a token of any age. Only the one canonical, padded spelling of a token is accepted.
pub fn decrypt(key: &FernetKey, token: &str) -> Result<Vec<u8>, DecryptError> {
    open(key, &decode(token)?)
}

/// Why something sealed cannot be opened. It never carries a byte of key or ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// Not written by this program: no token at all, or an unknown format inside one.
    #[error("the value is not in the sealed format")]
    Malformed,
    /// Changed since it was written, or written with a key that is not here: the two cannot be told apart.
    #[error("the value was changed or needs a key that is not available")]
    Unauthentic,
    /// Genuine, but it belongs to another row, owner or version.
    #[error("the value belongs to another place")]
    Misplaced,
}

/// The token before base64url.
pub(crate) fn seal(key: &FernetKey, plaintext: &[u8], now_unix: u64) -> Vec<u8> {
    encrypt_with(key, plaintext, now_unix, &random_bytes())
}

/// A chosen IV is for the specification's vectors only: using one twice would show equal beginnings of texts.
fn encrypt_with(key: &FernetKey, plaintext: &[u8], now_unix: u64, iv: &[u8; BLOCK]) -> Vec<u8> {
    let ciphertext =
        cbc::Encryptor::<Aes128>::new(key.encryption_half().into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plaintext);

    let mut token = Vec::with_capacity(57 + ciphertext.len());
    token.push(VERSION);
    token.extend_from_slice(&now_unix.to_be_bytes());
    token.extend_from_slice(iv);
    token.extend_from_slice(&ciphertext);
    let tag = authenticator(key, &token).finalize().into_bytes();
    token.extend_from_slice(&tag);
    token
}

/// Authenticates first, in constant time, and decrypts only what is genuine: no padding oracle.
pub(crate) fn open(key: &FernetKey, token: &[u8]) -> Result<Vec<u8>, DecryptError> {
    let parts = Parts::of(token).ok_or(DecryptError::Malformed)?;
    authenticator(key, parts.signed).verify_slice(parts.tag).map_err(|_| DecryptError::Unauthentic)?;
    cbc::Decryptor::<Aes128>::new(key.encryption_half().into(), parts.iv.into())
        .decrypt_padded_vec::<Pkcs7>(parts.ciphertext)
        .map_err(|_| DecryptError::Malformed)
}

pub(crate) fn decode(token: &str) -> Result<Vec<u8>, DecryptError> {
    URL_SAFE.decode(token).map_err(|_| DecryptError::Malformed)
}

/// The time of writing, believable only once the token was opened.
pub(crate) fn timestamp(token: &[u8]) -> Option<u64> {
    Parts::of(token).map(|parts| parts.timestamp)
}

fn authenticator(key: &FernetKey, signed: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key.signing_half()).expect("HMAC takes keys of any length").chain_update(signed)
}

struct Parts<'a> {
    timestamp: u64,
    iv: &'a [u8; BLOCK],
    ciphertext: &'a [u8],
    signed: &'a [u8],
    tag: &'a [u8; 32],
}

impl<'a> Parts<'a> {
    fn of(token: &'a [u8]) -> Option<Self> {
        let (signed, tag) = token.split_last_chunk()?;
        let (&version, rest) = signed.split_first()?;
        let (timestamp, rest) = rest.split_first_chunk()?;
        let (iv, ciphertext) = rest.split_first_chunk()?;
        let is_whole_blocks = !ciphertext.is_empty() && ciphertext.len().is_multiple_of(BLOCK);
        (version == VERSION && is_whole_blocks).then_some(Self {
            timestamp: u64::from_be_bytes(*timestamp),
            iv,
            ciphertext,
            signed,
            tag,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    /// 1985-10-26T01:20:00-07:00
    const WRITTEN: u64 = 499_162_800;
    const HELLO: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    const EXPIRED: &str = "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==";
    const FAR_FUTURE: &str =
        "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==";

    fn secret() -> FernetKey {
        FernetKey::parse(SECRET).unwrap()
    }

    /// The specification's optional maximum age, here only to run its vectors: the program has none.
    fn verify_with_ttl(token: &str, ttl: u64, now: u64) -> Result<Vec<u8>, &'static str> {
        const ACCEPTED_SKEW: u64 = 60;
        let raw = decode(token).map_err(|_| "malformed")?;
        let plaintext = open(&secret(), &raw).map_err(|_| "refused")?;
        match timestamp(&raw).unwrap() {
            written if written + ttl < now => Err("expired"),
            written if written > now + ACCEPTED_SKEW => Err("from the future"),
            _ => Ok(plaintext),
        }
    }

    /// generate.json
    #[test]
    fn the_specification_s_token_is_generated() {
        let iv = std::array::from_fn(|at| u8::try_from(at).unwrap());

        let token = encrypt_with(&secret(), b"hello", WRITTEN, &iv);

        assert_eq!(URL_SAFE.encode(token), HELLO);
    }

    /// verify.json
    #[test]
    fn the_specification_s_token_is_verified() {
        assert_eq!(verify_with_ttl(HELLO, 60, WRITTEN + 1).unwrap(), b"hello");
        assert_eq!(decrypt(&secret(), HELLO).unwrap(), b"hello");
    }

    /// invalid.json, the six that are wrong at any time.
    #[test]
    fn the_specification_s_invalid_tokens_are_refused() {
        use DecryptError::{Malformed, Unauthentic};
        let invalid = [
            (
                "incorrect mac",
                Unauthentic,
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            ),
            ("too short", Malformed, "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA=="),
            (
                "invalid base64",
                Malformed,
                "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            ),
            (
                "payload size not multiple of block size",
                Malformed,
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            ),
            (
                "payload padding error",
                Malformed,
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            ),
            (
                "incorrect IV",
                Malformed,
                "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
            ),
        ];

        for (what, expected, token) in invalid {
            assert_eq!(decrypt(&secret(), token), Err(expected), "{what}");
        }
    }

    /// invalid.json, the two whose only fault is their time: stored data must not have that fault.
    #[test]
    fn age_matters_to_the_specification_but_never_to_stored_data() {
        assert_eq!(verify_with_ttl(EXPIRED, 60, WRITTEN + 91), Err("expired"));
        assert_eq!(verify_with_ttl(FAR_FUTURE, 60, WRITTEN + 1), Err("from the future"));

        // The specification's two tokens hold an empty message.
        assert_eq!(decrypt(&secret(), EXPIRED).unwrap(), b"");
        assert_eq!(decrypt(&secret(), FAR_FUTURE).unwrap(), b"");
        for written in [0, u64::MAX] {
            let token = encrypt(&secret(), b"text", written);
            assert_eq!(decrypt(&secret(), &token).unwrap(), b"text");
        }
    }

    #[test]
    fn the_same_text_never_gives_the_same_token() {
        let tokens: std::collections::HashSet<_> = (0..100).map(|_| encrypt(&secret(), b"text", WRITTEN)).collect();

        assert_eq!(tokens.len(), 100);
    }

    #[test]
    fn another_key_opens_nothing() {
        let token = encrypt(&secret(), b"text", WRITTEN);

        assert_eq!(decrypt(&FernetKey::generate(), &token), Err(DecryptError::Unauthentic));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let token = seal(&secret(), b"a text of more than one block", WRITTEN);

        for bit in 0..token.len() * 8 {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&secret(), &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn no_cut_or_respelled_token_is_accepted() {
        let token = encrypt(&secret(), b"text", WRITTEN);

        for end in 0..token.len() {
            assert!(decrypt(&secret(), &token[..end]).is_err(), "cut at {end}");
        }
        for respelled in [format!("{token}="), format!("{token}\n"), format!(" {token}")] {
            assert_eq!(decrypt(&secret(), &respelled), Err(DecryptError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(plaintext: Vec<u8>, key: [u8; 32], now: u64) {
            let key = FernetKey::parse(&URL_SAFE.encode(key)).unwrap();

            let token = encrypt(&key, &plaintext, now);

            prop_assert!(token.starts_with("gAAAAA") || now >= 1 << 32);
            prop_assert_eq!(decrypt(&key, &token).unwrap(), plaintext);
        }

        #[test]
        fn nothing_made_up_is_opened(raw: Vec<u8>, text: String) {
            prop_assert!(open(&secret(), &raw).is_err());
            prop_assert!(decrypt(&secret(), &URL_SAFE.encode(&raw)).is_err());
            prop_assert!(decrypt(&secret(), &text).is_err());
        }
    }
}
