//! Writing, changing and deleting memories. What a text means is asked before anything is stored, so that text and
//! embedding are stored together; where that takes too long the worker embeds it later.

use futures_util::future::BoxFuture;
use picard_domain::commands::{
    BatchError, BatchFieldError, BatchMemory, BatchResult, BatchSummary, DeleteMemory, Deleted, ModifyPermissions, OnError, Once,
    RestoreMemory, SubmitMemories, SubmitMemory, UpdateMemory,
};
use picard_domain::memory::EmbeddingStatus;
use picard_domain::{Caller, Error, FieldError, Memory, MemoryId, Permission, Scope, Timestamp};
use picard_storage::memories::{MemoryChange, NewMemory, Writer};
use serde::de::DeserializeOwned;

use crate::changes::Change;
use crate::tools::Progress;
use crate::{App, arguments};

/// After so many memories of a batch it is told how far it is.
const STEP: u32 = 100;
/// A batch of more memories is left to the worker.
const MOST_EMBEDDED_AT_ONCE: usize = 16;

impl App {
    /// Stores a memory of the caller.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`] when the expiration date has passed, or
    /// for a group that the caller is not in.
    pub fn submit_memory<'a>(
        &'a self,
        caller: &'a Caller,
        command: SubmitMemory,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if let Some(before) = self.remembered(caller, once).await? {
                return Ok(before);
            }
            let row = BatchMemory {
                text: command.text,
                permission: command.permission,
                expiration_date: command.expiration_date,
                tags: command.tags,
                category: command.category,
                shared_with: command.shared_with,
            };
            self.check_future(row.expiration_date)?;
            let mut new = self.new_memory(row);
            new.windows = self.embed_now(&[new.text.as_str()]).await.pop().unwrap_or_default();
            let only = |mut memories: Vec<Memory>| memories.pop().expect("one memory was stored");
            let memory = self.0.store.create_memories(self.writer(caller, once), std::slice::from_ref(&new), only).await?;
            self.wake_worker_for(&memory);
            self.note_new(caller.user_id, std::slice::from_ref(&memory));
            Ok(memory)
        })
    }

    /// Stores many memories of the caller, in one transaction.
    ///
    /// # Errors
    /// As [`App::submit_memory`]; with `on_error: stop`, [`Error::Invalid`] names every wrong member of the first wrong memory.
    pub fn submit_memories<'a>(
        &'a self,
        caller: &'a Caller,
        command: SubmitMemories,
        once: Option<&'a Once>,
        progress: Option<&'a Progress>,
    ) -> BoxFuture<'a, Result<BatchSummary, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if let Some(before) = self.remembered(caller, once).await? {
                return Ok(before);
            }
            // Each is checked and stored, which counts as one step each.
            let steps = u32::try_from(command.memories.len() * 2).unwrap_or(u32::MAX);
            let mut refused = Vec::new();
            let mut accepted = Vec::new();
            for (index, value) in (0_u32..).zip(command.memories) {
                match self.batch_memory(caller, value).await {
                    Ok(row) => accepted.push((index, self.new_memory(row))),
                    Err(error) if command.on_error == OnError::Continue => refused.push((index, error)),
                    Err(error) => return Err(in_batch(index, error)),
                }
                if let Some(tell) = progress.filter(|_| (index + 1) % STEP == 0) {
                    tell(index + 1, steps);
                    // Whoever is told gets a turn.
                    tokio::task::yield_now().await;
                }
            }
            if accepted.len() <= MOST_EMBEDDED_AT_ONCE {
                let texts: Vec<&str> = accepted.iter().map(|(_, new)| new.text.as_str()).collect();
                let embedded = self.embed_now(&texts).await;
                for ((_, new), windows) in accepted.iter_mut().zip(embedded) {
                    new.windows = windows;
                }
            }
            let (places, rows): (Vec<u32>, Vec<NewMemory>) = accepted.into_iter().unzip();
            let summary = |memories: Vec<Memory>| summary(&places, memories, refused);
            let answer = self.0.store.create_memories(self.writer(caller, once), &rows, summary).await?;
            self.wake_embedding_worker();
            let is_open = rows.iter().any(|new| new.permission == Permission::Public);
            self.note_change(Change { owner: caller.user_id, memory: None, is_open });
            Ok(answer)
        })
    }

    /// Changes a memory of the caller.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::NotFound`], [`Error::Forbidden`] for a memory of
    /// somebody else that the caller may read, [`Error::VersionMismatch`].
    pub fn update_memory<'a>(
        &'a self,
        caller: &'a Caller,
        command: UpdateMemory,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.check_future(command.expiration_date.flatten())?;
            let change = MemoryChange {
                text: command.text.map(|text| (text, Vec::new())),
                permission: command.permission,
                shared_with: None,
                tags: command.tags,
                category: command.category,
                expiration_date: command.expiration_date,
                expected_version: command.version,
            };
            if change.is_empty() {
                return Err(Error::invalid(
                    "",
                    "name at least one of text, permission, expiration_date, tags, category to change",
                ));
            }
            self.change(caller, command.memory_id, change, once).await
        })
    }

    /// Changes who may see a memory of the caller.
    ///
    /// # Errors
    /// As [`App::update_memory`].
    pub fn modify_permissions<'a>(
        &'a self,
        caller: &'a Caller,
        command: ModifyPermissions,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let change = MemoryChange {
                permission: Some(command.permission),
                shared_with: command.shared_with,
                ..MemoryChange::default()
            };
            self.change(caller, command.memory_id, change, once).await
        })
    }

    /// Brings an earlier version of a memory back, as a new version: text, tags, category, and the expiration date unless
    /// it has passed. The permission comes back only where it shows the memory to fewer people than now.
    ///
    /// # Errors
    /// As [`App::update_memory`]; [`Error::Invalid`] for a version that there is not.
    pub fn restore_memory<'a>(
        &'a self,
        caller: &'a Caller,
        command: &'a RestoreMemory,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let (id, version) = (command.memory_id, command.version);
            if let Some(before) = self.remembered(caller, once).await? {
                return Ok(before);
            }
            let person = caller.user_id;
            self.check_owner(person, id).await?;
            let former = self.0.store.former_memory(person, id, version).await?;
            let former = former.ok_or_else(|| Error::invalid("version", "must be a version that memory_history lists"))?;
            let present = self.visible(person, id).await?;
            let is_over = former.expiration_date.is_some_and(|moment| moment <= self.0.clock.now());
            let change = MemoryChange {
                text: (former.text.as_str() != present.text).then(|| (former.text, Vec::new())),
                permission: present.permission.is_wider_than(former.permission).then_some(former.permission),
                shared_with: None,
                tags: Some(former.tags),
                category: Some(former.category),
                expiration_date: (!is_over).then_some(former.expiration_date),
                // What was compared with must still be there.
                expected_version: Some(present.version),
            };
            self.change(caller, id, change, once).await
        })
    }

    /// Deletes a memory of the caller for good.
    ///
    /// # Errors
    /// As [`App::update_memory`].
    pub fn delete_memory<'a>(
        &'a self,
        caller: &'a Caller,
        command: &'a DeleteMemory,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Deleted, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let id = command.memory_id;
            let work = async {
                self.check_owner(caller.user_id, id).await?;
                let (deleted, before) = self.0.store.delete_memory(caller.user_id, id, once).await?;
                self.note_changed(caller.user_id, id, before, None);
                Ok(deleted)
            };
            self.once(caller, once, work).await
        })
    }

    async fn change(
        &self,
        caller: &Caller,
        id: MemoryId,
        mut change: MemoryChange,
        once: Option<&Once>,
    ) -> Result<Memory, Error> {
        let work = async {
            self.check_owner(caller.user_id, id).await?;
            if let Some((text, windows)) = &mut change.text {
                *windows = self.embed_now(&[text.as_str()]).await.pop().unwrap_or_default();
            }
            let (memory, before) = self.0.store.update_memory(self.writer(caller, once), id, &change).await?;
            self.note_changed(caller.user_id, id, before, Some(memory.permission));
            self.wake_worker_for(&memory);
            Ok(memory)
        };
        self.once(caller, once, work).await
    }

    /// Does the work unless this call was made before. The first of two calls may delete what the second looks for.
    async fn once<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        if let Some(before) = self.remembered(caller, once).await? {
            return Ok(before);
        }
        match work.await {
            Err(Error::NotFound) => self.remembered(caller, once).await?.ok_or(Error::NotFound),
            outcome => outcome,
        }
    }

    async fn remembered<T: DeserializeOwned>(&self, caller: &Caller, once: Option<&Once>) -> Result<Option<T>, Error> {
        match once {
            Some(once) => self.0.store.remembered(caller.user_id, once).await,
            None => Ok(None),
        }
    }

    pub(crate) fn writer<'a>(&'a self, caller: &Caller, once: Option<&'a Once>) -> Writer<'a> {
        let client = (!caller.client_id.0.is_nil()).then_some(caller.client_id);
        Writer { owner: caller.user_id, client, model: self.0.embedder.model(), once }
    }

    fn new_memory(&self, row: BatchMemory) -> NewMemory {
        let now = self.0.clock.now();
        NewMemory {
            id: MemoryId::generate(),
            text: row.text,
            permission: row.permission,
            shared_with: row.shared_with.unwrap_or_default(),
            tags: row.tags,
            category: row.category,
            expiration_date: row.expiration_date,
            created_at: now,
            updated_at: now,
            windows: Vec::new(),
        }
    }

    /// One memory of a batch, checked alone: a wrong one must not undo the others in the transaction.
    async fn batch_memory(&self, caller: &Caller, value: serde_json::Value) -> Result<BatchMemory, Error> {
        if !value.is_object() {
            return Err(Error::invalid("", "must be a JSON object"));
        }
        let row: BatchMemory = arguments::parse(value)?;
        self.check_future(row.expiration_date)?;
        if let Some(shared_with) = &row.shared_with {
            self.check_groups(caller, &shared_with.groups).await?;
        }
        Ok(row)
    }

    fn check_future(&self, expiration_date: Option<Timestamp>) -> Result<(), Error> {
        match expiration_date {
            Some(moment) if moment <= self.0.clock.now() => Err(Error::invalid("expiration_date", "must be in the future")),
            _ => Ok(()),
        }
    }

    fn wake_worker_for(&self, memory: &Memory) {
        if memory.embedding_status == EmbeddingStatus::Pending {
            self.wake_embedding_worker();
        }
    }
}

/// Says in which memory of the batch something is wrong.
fn in_batch(index: u32, error: Error) -> Error {
    match error {
        Error::Invalid(errors) => {
            let named = |error: FieldError| {
                let dot = if error.field.is_empty() { "" } else { "." };
                FieldError::new(format!("memories[{index}]{dot}{}", error.field), error.message)
            };
            Error::Invalid(errors.into_iter().map(named).collect())
        }
        other => other,
    }
}

fn summary(places: &[u32], memories: Vec<Memory>, refused: Vec<(u32, Error)>) -> BatchSummary {
    let (created, failed) = (memories.len(), refused.len());
    let stored = places.iter().zip(memories).map(|(&index, memory)| BatchResult::Stored { index, memory: Box::new(memory) });
    let refused = refused.into_iter().map(|(index, error)| BatchResult::Refused { index, error: batch_error(&error) });
    let mut results: Vec<BatchResult> = stored.chain(refused).collect();
    results.sort_by_key(|result| match result {
        BatchResult::Stored { index, .. } | BatchResult::Refused { index, .. } => *index,
    });
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    BatchSummary { results, created: number(created), failed: number(failed) }
}

fn batch_error(error: &Error) -> BatchError {
    let errors = match error {
        Error::Invalid(errors) => {
            errors.iter().map(|error| BatchFieldError { field: error.field.clone(), message: error.message.clone() }).collect()
        }
        _ => Vec::new(),
    };
    BatchError { code: error.code().to_owned(), detail: error.to_string(), errors }
}
