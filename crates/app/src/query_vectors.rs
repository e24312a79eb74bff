//! Vectors of queries that were embedded lately: people search again, page on, and type the same words.

use std::sync::{Arc, Mutex, PoisonError};

use hashlink::LruCache;
use picard_domain::{UserId, Vector};
use sha2::{Digest as _, Sha256};

/// What all of them may take, in bytes.
const MOST_BYTES: usize = 4 << 20;
/// Of short vectors there are not more than so many either.
const MOST: usize = 2_048;

/// A query of one person. Nobody's search is quicker because somebody else has looked for the same: that would tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct QueryKey([u8; 32]);

impl QueryKey {
    /// The key of a query; the query itself is not kept.
    pub(crate) fn new(person: UserId, model: &str, query: &str) -> Self {
        let hash = Sha256::new().chain_update(person.0.as_bytes()).chain_update(model).chain_update([0]).chain_update(query);
        Self(hash.finalize().into())
    }
}

/// The vectors that were needed last.
pub(crate) struct QueryVectors(Mutex<LruCache<QueryKey, Arc<Vector>>>);

impl QueryVectors {
    /// Room for as many vectors of this length as fit.
    pub(crate) fn new(dimensions: usize) -> Self {
        let fitting = MOST_BYTES / (dimensions.max(1) * size_of::<f32>());
        Self(Mutex::new(LruCache::new(fitting.clamp(1, MOST))))
    }

    /// What was kept, which is then needed last.
    pub(crate) fn find(&self, key: &QueryKey) -> Option<Arc<Vector>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a vector; the one that was not needed for longest goes.
    pub(crate) fn keep(&self, key: QueryKey, vector: Arc<Vector>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, vector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(byte: u8) -> UserId {
        UserId(uuid::Uuid::from_bytes([byte; 16]))
    }

    #[test]
    fn what_was_not_needed_for_longest_goes() {
        let vectors = QueryVectors::new(MOST_BYTES / size_of::<f32>() / 2);
        let key = |query| QueryKey::new(person(1), "model", query);
        let vector = Arc::new(Vector::new(vec![1.0]).expect("a vector"));

        vectors.keep(key("tea"), vector.clone());
        vectors.keep(key("cake"), vector.clone());
        assert!(vectors.find(&key("tea")).is_some());
        vectors.keep(key("jam"), vector);

        let is_there = ["tea", "cake", "jam"].map(|query| vectors.find(&key(query)).is_some());
        assert_eq!(is_there, [true, false, true], "there is room for two");
    }

    #[test]
    fn nobody_finds_what_somebody_else_has_asked() {
        let keys = [
            QueryKey::new(person(1), "model", "tea"),
            QueryKey::new(person(2), "model", "tea"),
            QueryKey::new(person(1), "other", "tea"),
        ];

        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2]);
    }
}
