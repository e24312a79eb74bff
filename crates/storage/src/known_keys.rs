//! Keys of people who are at work, so that every call need not ask for them again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use picard_crypto::DataKey;
use picard_domain::{Error, UserId};
use uuid::Uuid;

use crate::Store;

/// Of so many people at most.
const MOST: usize = 1_024;
/// A key is looked up again after so long: an account that was deleted meanwhile has none any more.
const LONGEST: Duration = Duration::from_secs(60);

/// Opened keys, each with when it was looked up.
pub(crate) struct KnownKeys(Mutex<LruCache<Uuid, (Instant, Arc<DataKey>)>>);

impl Default for KnownKeys {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl KnownKeys {
    fn find(&self, person: UserId) -> Option<Arc<DataKey>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, key) = keys.get(&person.0)?;
        if since.elapsed() < LONGEST {
            return Some(Arc::clone(key));
        }
        keys.remove(&person.0);
        None
    }

    fn keep(&self, person: UserId, key: Arc<DataKey>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(person.0, (Instant::now(), key));
    }

    /// Forgets a key that may be gone.
    pub(crate) fn forget(&self, person: UserId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&person.0);
    }
}

impl Store {
    /// The key of somebody whose account was there at most a minute ago.
    ///
    /// For searches, whose caller was looked up just now, and for rows that refer to the account, so that the database
    /// refuses them when it is gone. Everything else asks for [`Store::data_key`].
    pub(crate) async fn known_key(&self, person: UserId) -> Result<Arc<DataKey>, Error> {
        if let Some(key) = self.known_keys.find(person) {
            return Ok(key);
        }
        let key = self.data_key(person).await?.ok_or(Error::NotFound)?;
        self.known_keys.keep(person, Arc::clone(&key));
        Ok(key)
    }
}
