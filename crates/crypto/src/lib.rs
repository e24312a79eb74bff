//! Every cipher, hash and random secret of Picard: Fernet tokens, the key ring, per-person data keys, argon2id, PKCE.
//!
//! It must not know what a memory or a person is (they are 16-byte ids here), nor SQL, HTTP or the clock: the time is
//! an argument, in Unix seconds. Nothing here limits a token's age, because stored data must stay readable for ever.
//!
//! Start at [`fernet`], the only cipher; [`KeyRing`] holds the deployment's keys, [`DataKey`] one person's key wrapped
//! by the ring, [`seal_text`] binds a text to its row, and [`SealingKey`] makes cursors nobody can forge.
//! [`PasswordHasher`] is the only asynchronous part.

mod data_key;
mod envelope;
pub mod fernet;
mod key;
mod key_doubt;
mod key_ring;
mod keyed_hash;
mod password;
mod pkce;
mod sealed;
mod token;

pub use data_key::DataKey;
pub use envelope::{TextBinding, open_text, seal_text};
pub use fernet::DecryptError;
pub use key::{FernetKey, Key, KeyError};
pub use key_doubt::KeyDoubt;
pub use key_ring::{KeyRing, KeyRingError};
pub use keyed_hash::KeyedHash;
pub use password::{Busy, PasswordHasher, Turn, Verdict, is_common_password};
pub use pkce::pkce_s256;
pub use sealed::SealingKey;
pub use secrecy::{ExposeSecret, SecretString};
pub use token::{StreamHash, constant_time_eq, hash_token, random_token};
