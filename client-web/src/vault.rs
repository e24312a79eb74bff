//! Keeps tokens at rest: encrypted, and bound to the person and the purpose that they are for.

use std::sync::Arc;

use picard_crypto::{ExposeSecret, KeyRing, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    Access,
    Refresh,
    /// No token: the password of an administrator of the server.
    Administrator,
    /// No token: the code verifier of an authorization that was begun.
    Verifier,
}

/// The token cannot be read: another key, another person's row, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored token cannot be used")]
pub(crate) struct Unreadable;

/// Encrypts and decrypts tokens.
#[derive(Clone)]
pub(crate) struct Vault(Arc<KeyRing>);

/// Fernet has no associated data, so the binding is inside of what it authenticates (WEB-06).
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    person: Uuid,
    purpose: Purpose,
    token: std::borrow::Cow<'a, str>,
}

impl Vault {
    pub(crate) fn new(keys: KeyRing) -> Self {
        Self(Arc::new(keys))
    }

    pub(crate) fn seal(&self, person: Uuid, purpose: Purpose, token: &SecretString) -> String {
        let envelope = Envelope { person, purpose, token: token.expose_secret().into() };
        let plaintext = serde_json::to_vec(&envelope).expect("an envelope has only a string, an id and a word");
        self.0.encrypt(&plaintext, clock::now_unix())
    }

    pub(crate) fn open(&self, person: Uuid, purpose: Purpose, sealed: &str) -> Result<SecretString, Unreadable> {
        let plaintext = self.0.decrypt(sealed).map_err(|_| Unreadable)?;
        let envelope: Envelope<'_> = serde_json::from_slice(&plaintext).map_err(|_| Unreadable)?;
        if envelope.person == person && envelope.purpose == purpose {
            Ok(SecretString::from(envelope.token.into_owned()))
        } else {
            Err(Unreadable)
        }
    }
}

#[cfg(test)]
mod tests {
    use picard_crypto::{ExposeSecret, FernetKey, KeyRing, SecretString};
    use uuid::Uuid;

    use super::{Purpose, Unreadable, Vault};

    #[test]
    fn a_sealed_token_opens_only_for_its_person_and_purpose() {
        let vault = Vault::new(KeyRing::new(vec![FernetKey::generate()]).expect("one key is a ring"));
        let (ada, grace) = (Uuid::new_v4(), Uuid::new_v4());
        let token = SecretString::from("a \"token\"");

        let sealed = vault.seal(ada, Purpose::Access, &token);

        assert!(!sealed.contains("token"));
        let opened = vault.open(ada, Purpose::Access, &sealed).expect("it is Ada's");
        assert_eq!(opened.expose_secret(), "a \"token\"");
        assert_eq!(vault.open(grace, Purpose::Access, &sealed).err(), Some(Unreadable), "WEB-06");
        assert_eq!(vault.open(ada, Purpose::Refresh, &sealed).err(), Some(Unreadable));
    }
}
