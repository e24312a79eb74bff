//! Taking memories in from a file.

use futures_util::future::BoxFuture;
use picard_domain::memory::{Category, SharedWith, Tags};
use picard_domain::{Caller, Error, MemoryId, MemoryText, Permission, Reach, Scope, Timestamp};
use picard_storage::memories::NewMemory;
use serde::Deserialize;

use crate::App;

/// One memory of an import; members that are not named here are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct ImportMemory {
    /// The id that it had where it comes from.
    pub id: Option<String>,
    /// What is remembered.
    pub text: MemoryText,
    /// Who may see it.
    #[serde(default)]
    pub permission: Permission,
    /// Labels.
    #[serde(default)]
    pub tags: Tags,
    /// Category.
    pub category: Option<Category>,
    /// When it stops being shown; may have passed.
    pub expiration_date: Option<Timestamp>,
    /// The people and groups who may see it while it is shared.
    pub shared_with: Option<SharedWith>,
    /// When it was written; now if nothing is said.
    pub created_at: Option<Timestamp>,
}

/// What became of one memory of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It was stored; its embedding follows.
    Stored(MemoryId),
    /// The caller has it already.
    Skipped(MemoryId),
}

impl App {
    /// Stores one memory of an import; the worker embeds it.
    ///
    /// # Errors
    /// As [`App::submit_memory`].
    pub fn import_memory<'a>(&'a self, caller: &'a Caller, row: ImportMemory) -> BoxFuture<'a, Result<Imported, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if let Some(id) = row.id.as_deref().and_then(|id| id.parse::<MemoryId>().ok())
                && self.0.store.memory_owner(Reach::Own(caller.user_id), id).await?.is_some()
            {
                return Ok(Imported::Skipped(id));
            }
            let now = self.0.clock.now();
            let new = NewMemory {
                id: MemoryId::generate(),
                text: row.text,
                permission: row.permission,
                shared_with: row.shared_with.unwrap_or_default(),
                tags: row.tags,
                category: row.category,
                expiration_date: row.expiration_date,
                created_at: row.created_at.unwrap_or(now),
                updated_at: now,
                windows: Vec::new(),
            };
            let id = new.id;
            self.0.store.create_memories(self.writer(caller, None), &[new], drop).await?;
            self.wake_embedding_worker();
            Ok(Imported::Stored(id))
        })
    }
}
