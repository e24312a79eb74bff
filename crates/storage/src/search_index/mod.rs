//! What people search who search often, held in memory and true at every search.
//!
//! Before each search PostgreSQL is asked what has changed since the last one, by the transactions that rows were changed
//! in: what was acknowledged before a search began is found by it, at whichever server it was written. Only candidates
//! come from memory; who may see them and what is in them is read from the database.

mod reading;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use picard_domain::{Error, UserId};
use picard_index::{Entry, Index, Matches, Neighbour};
use uuid::Uuid;

use crate::Store;

/// With fewer memories than this the database is as fast.
const LEAST_MEMORIES: i64 = 200;
/// What nobody asked for in this time is given up. Deletions are remembered for longer.
const MOST_IDLE: Duration = Duration::from_secs(3_600);
/// How often changes are fetched again because another search has just put some in.
const TRIES: usize = 4;
/// About what a memory takes besides its vector, in bytes.
const BYTES_OF_WORDS: usize = 250;
/// Work from which a comparison leaves the thread that answers others.
const LONG_WORK: usize = 2_000_000;

/// All that are held.
#[derive(Debug)]
pub(crate) struct SearchIndexes {
    /// How much they may take together, in bytes; 0: none is held.
    most_bytes: usize,
    held: Mutex<HashMap<Uuid, Arc<Held>>>,
    /// For whom one is being made.
    loading: Mutex<HashSet<Uuid>>,
}

/// One person's.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) owner: UserId,
    pub(crate) model: String,
    state: RwLock<State>,
    used_at: Mutex<Instant>,
}

#[derive(Debug)]
struct State {
    index: Index,
    /// Everything that transactions before this one have written is in it.
    known_until: i64,
    /// Counts what was put in.
    generation: u64,
    /// Which run of PostgreSQL the numbers of transactions belong to.
    run: i64,
}

/// What is held of a person's memories, as it was true at one moment: one look serves a whole search.
#[derive(Debug, Clone)]
pub struct CurrentIndex {
    pub(crate) held: Arc<Held>,
    /// In microseconds since 1970, by PostgreSQL's clock.
    pub(crate) now: i64,
}

/// What an index says of the nearest memories.
pub(crate) struct Candidates {
    pub(crate) nearest: Vec<Neighbour>,
    /// How many memories there are that could be near.
    pub(crate) total: usize,
    pub(crate) is_by_signs: bool,
}

impl Default for SearchIndexes {
    fn default() -> Self {
        Self::of(48 << 20)
    }
}

impl SearchIndexes {
    pub(crate) fn of(most_bytes: usize) -> Self {
        Self { most_bytes, held: Mutex::default(), loading: Mutex::default() }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is held for a person, whatever has changed since.
    pub(crate) fn of_person(&self, owner: UserId) -> Option<Arc<Held>> {
        let mut all = self.all();
        let held = all.get(&owner.0)?;
        let mut used_at = held.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        if used_at.elapsed() > MOST_IDLE {
            drop(used_at);
            all.remove(&owner.0);
            return None;
        }
        *used_at = Instant::now();
        drop(used_at);
        Some(Arc::clone(held))
    }

    fn forget(&self, held: &Arc<Held>) {
        let mut all = self.all();
        if all.get(&held.owner.0).is_some_and(|there| Arc::ptr_eq(there, held)) {
            all.remove(&held.owner.0);
        }
    }

    fn hold(&self, held: Arc<Held>) {
        self.all().insert(held.owner.0, held);
        self.make_room();
    }

    /// Gives up what was used the longest ago until the rest has room.
    fn make_room(&self) {
        let mut all = self.all();
        loop {
            let bytes: usize = all.values().map(|held| held.bytes()).sum();
            let used_at = |held: &Arc<Held>| *held.used_at.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = all.iter().min_by_key(|(_, held)| used_at(held)).map(|(owner, _)| *owner);
            match oldest {
                Some(owner) if bytes > self.most_bytes => all.remove(&owner),
                _ => return,
            };
        }
    }

    /// How an index of so many memories has room; `None`: not at all.
    fn by_signs(&self, memories: i64, dimensions: usize) -> Option<bool> {
        let memories = usize::try_from(memories).ok()?;
        let bytes = |of_vector: usize| memories.saturating_mul(of_vector + BYTES_OF_WORDS);
        // Long vectors have their signs besides.
        if bytes(dimensions + dimensions / 8) <= self.most_bytes / 2 {
            Some(false)
        } else {
            (bytes(dimensions / 8) <= self.most_bytes).then_some(true)
        }
    }
}

impl Held {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> usize {
        self.read().index.bytes()
    }

    /// Puts changes in unless somebody else did meanwhile; `false`: they have to be fetched again.
    fn put(&self, generation: u64, known_until: i64, changes: &[(Uuid, Option<Entry>)]) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation {
            return false;
        }
        for (id, change) in changes {
            match change {
                Some(entry) => state.index.put(entry),
                None => state.index.remove(*id),
            }
        }
        state.generation += u64::from(!changes.is_empty());
        state.known_until = state.known_until.max(known_until);
        true
    }

    /// Words that are looked for, memory by memory, with the number of all memories and of all words.
    pub(crate) fn matches(&self, words: &[i64], now: i64) -> (Matches, (i64, i64)) {
        let state = self.read();
        (state.index.matches(words, now), state.index.lengths())
    }

    /// About how similar these memories are; nothing of those that are not here, or when it cannot be said.
    pub(crate) fn similarities(&self, model: &str, vector: &[f32], ids: &[Uuid]) -> Vec<Neighbour> {
        let state = self.read();
        if self.model == model { state.index.similarities(vector, ids) } else { Vec::new() }
    }

    fn nearest(&self, vector: &[f32], counts: (usize, usize), now: i64) -> Candidates {
        let state = self.read();
        let is_by_signs = state.index.is_by_signs();
        let count = if is_by_signs { counts.1 } else { counts.0 };
        Candidates { nearest: state.index.nearest(vector, count, now), total: state.index.embedded(now), is_by_signs }
    }
}

impl CurrentIndex {
    /// The nearest memories: so many by numbers, or so many by signs.
    pub(crate) async fn nearest(&self, vector: &[f32], counts: (usize, usize)) -> Candidates {
        let work = self.held.read().index.work();
        if work < LONG_WORK {
            return self.held.nearest(vector, counts, self.now);
        }
        let (held, now, copy) = (Arc::clone(&self.held), self.now, vector.to_vec());
        match tokio::task::spawn_blocking(move || held.nearest(&copy, counts, now)).await {
            Ok(candidates) => candidates,
            Err(_) => self.held.nearest(vector, counts, self.now),
        }
    }
}

impl Store {
    /// The same store with so much memory for what people search who search often, in bytes; 0: none.
    #[must_use]
    pub fn with_search_memory(self, bytes: usize) -> Self {
        Self { indexes: Arc::new(SearchIndexes::of(bytes)), ..self }
    }

    /// For how many people what they search is held in memory, and how much that takes, in bytes.
    #[must_use]
    pub fn held_indexes(&self) -> (usize, usize) {
        let all = self.indexes.all();
        (all.len(), all.values().map(|held| held.bytes()).sum())
    }

    /// What is held for a person, with everything that was committed until now.
    ///
    /// With `all_times` expired memories are found, too.
    pub(crate) async fn current_index(&self, owner: UserId, all_times: bool) -> Result<Option<CurrentIndex>, Error> {
        let Some(held) = self.indexes.of_person(owner) else { return Ok(None) };
        for _ in 0..TRIES {
            let (known_until, generation, run) = {
                let state = held.read();
                (state.known_until, state.generation, state.run)
            };
            let news = self.news(&held, known_until).await?;
            // After a change of the database itself its transactions may have other numbers.
            if news.run != run || news.next < known_until {
                break;
            }
            // Before the beginning of time nothing has expired.
            let now = if all_times { i64::MIN } else { news.now };
            let changes = if news.has_changes { self.changes_since(&held, known_until).await? } else { Vec::new() };
            let is_much = changes.len() > 1_000;
            if held.put(generation, news.known_until, &changes) {
                if is_much {
                    self.indexes.make_room();
                }
                return Ok(Some(CurrentIndex { held, now }));
            }
            if !news.has_changes {
                // What somebody else has put in since is true, too.
                return Ok(Some(CurrentIndex { held, now }));
            }
        }
        self.indexes.forget(&held);
        Ok(None)
    }

    /// Begins to hold what a person searches, if that is worth it and there is room.
    pub(crate) fn hold_later(&self, owner: UserId, model: &str, dimensions: usize, memories: i64) {
        if memories < LEAST_MEMORIES || self.indexes.all().contains_key(&owner.0) {
            return;
        }
        let Some(by_signs) = self.indexes.by_signs(memories, dimensions) else { return };
        if !self.indexes.loading.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.0) {
            return;
        }
        let (store, model) = (self.clone(), model.to_owned());
        tokio::spawn(async move {
            match store.load(owner, &model, Index::new(dimensions, by_signs)).await {
                Ok(Some(held)) => store.indexes.hold(Arc::new(held)),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, user.id = %owner, "What a person searches could not be read."),
            }
            store.indexes.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(&owner.0);
        });
    }
}
