//! How often this server has done what an operator watches, since it began.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use picard_domain::Error;

use crate::App;

/// What is counted, by two words that say what and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Calls of tools, from every door: the tool, and `ok` or the code of the error.
    ToolCalls,
    /// Searches that were answered: the mode that was used, and `ok`.
    Searches,
    /// Queries that had to become vectors: `query`, and `hit` or `miss` of what is remembered.
    QueryVectors,
    /// Texts that the worker has taken: `text`, and `embedded`, `postponed` or `refused`.
    Embeddings,
}

/// One count since the server began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What is counted.
    pub counted: Counted,
    /// Of what kind.
    pub name: &'static str,
    /// How it went.
    pub outcome: &'static str,
    /// How often.
    pub count: u64,
}

/// All counts.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(Counted, &'static str, &'static str), u64>>);

impl Tally {
    /// Adds to one count; names and outcomes are words of the program, so there are never many.
    pub(crate) fn add(&self, counted: Counted, name: &'static str, outcome: &'static str, more: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((counted, name, outcome)).or_default() += more as u64;
    }

    /// Counts a call by its outcome.
    pub(crate) fn call<T>(&self, tool: &'static str, outcome: &Result<T, Error>) {
        self.add(Counted::ToolCalls, tool, outcome.as_ref().err().map_or("ok", Error::code), 1);
    }
}

impl App {
    /// What was counted since this server began.
    #[must_use]
    pub fn counts(&self) -> Vec<Count> {
        let counts = self.0.tally.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(&(counted, name, outcome), &count)| Count { counted, name, outcome, count }).collect()
    }

    /// For how many people searches are answered from memory, and what that takes in bytes.
    #[must_use]
    pub fn held_indexes(&self) -> (usize, usize) {
        self.0.store.held_indexes()
    }

    /// Connections to the database: open ones, and those of them that nobody uses at the moment.
    #[must_use]
    pub fn database_connections(&self) -> (usize, usize) {
        self.0.store.pool_connections()
    }
}
