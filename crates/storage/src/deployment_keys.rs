//! Keys of the deployment, wrapped by the key ring like those of the people.

use std::sync::Arc;

use picard_crypto::{DataKey, KeyedHash};
use picard_domain::Error;

use crate::Store;
use crate::error::storage_error;

/// The key under which the words of open texts are hashed.
const WORDS: &str = "words";
/// What stands for the person in the wrapping of the deployment's own keys; nobody has this id.
pub(crate) const NOBODY: [u8; 16] = [0; 16];

impl Store {
    /// The hash of words that others may search for; its key is made when it is first needed.
    pub(crate) async fn open_words(&self) -> Result<Arc<KeyedHash>, Error> {
        if let Some(hash) = self.open_words.get() {
            return Ok(Arc::clone(hash));
        }
        let fresh = DataKey::generate().wrap(&self.keys, NOBODY, self.now());
        // Two servers may start at once: both go on with the key that was stored first.
        let wrapped = sqlx::query_scalar!(
            "INSERT INTO deployment_keys (name, wrapped_key) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING wrapped_key",
            WORDS,
            fresh,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        let key = DataKey::unwrap(&self.keys, NOBODY, &wrapped).map_err(Error::internal)?;
        Ok(Arc::clone(self.open_words.get_or_init(|| Arc::new(KeyedHash::derive(&key, WORDS)))))
    }
}
