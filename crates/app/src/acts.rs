//! Who reads whose memories, and who writes their own: noted when it happens, written in batches, so that no call waits
//! for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Memory, MemoryId, Timestamp, UserId};
use picard_storage::audit::MemoryAct;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::patience::within;

/// How long acts are collected before they are written.
const COLLECT: Duration = Duration::from_millis(200);
/// The most acts that wait for a database that is away. What comes then is written to the log instead.
const MOST_WAITING: usize = 100_000;
/// The most acts of one statement.
const BATCH: usize = 1_000;
/// The longest that one statement may take.
const LONGEST_WRITE: Duration = Duration::from_secs(15);
/// How often the last acts are tried at a stop.
const LAST_TRIES: u32 = 5;

/// Acts that are still to be written.
#[derive(Default)]
pub(crate) struct ActLog {
    waiting: Mutex<Vec<MemoryAct>>,
    wake: Notify,
}

impl App {
    /// Notes that the caller read these memories, as far as they are others'.
    pub(crate) fn note_reads<'a>(
        &self,
        caller: &Caller,
        operation: &'static str,
        memories: impl IntoIterator<Item = &'a Memory>,
    ) {
        let mut owners: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
        for memory in memories.into_iter().filter(|memory| memory.user_id != caller.user_id) {
            owners.entry(memory.user_id).or_default().push(memory.id.to_string());
        }
        if owners.is_empty() {
            return;
        }
        let read = |(owner, ids)| MemoryAct {
            owner: Some(owner),
            ..self.act(caller, "memories_read", json!({ "memory_ids": ids, "operation": operation }))
        };
        self.note(owners.into_iter().map(read));
    }

    /// Notes what the caller did with their own memories.
    pub(crate) fn note_write(&self, caller: &Caller, tool: &str, memories: &[MemoryId]) {
        let event = match tool {
            "submit_memory" | "submit_memories" => "memories_submitted",
            "update_memory" => "memory_updated",
            "modify_permissions" => "permissions_modified",
            "restore_memory" => "memory_restored",
            "delete_memory" => "memory_deleted",
            _ => return,
        };
        if !memories.is_empty() {
            self.note([self.act(caller, event, json!({ "memory_ids": memories, "operation": tool }))]);
        }
    }

    /// Notes that the caller moved memories in or out.
    pub(crate) fn note_transfer(&self, caller: &Caller, event: &'static str, details: Value) {
        self.note([self.act(caller, event, details)]);
    }

    fn act(&self, caller: &Caller, event: &'static str, mut details: Value) -> MemoryAct {
        details["door"] = caller.door.as_str().into();
        let happened_at: Timestamp = self.0.clock.now();
        MemoryAct { happened_at, event, person: caller.user_id, client: caller.client_id, owner: None, details }
    }

    fn note(&self, acts: impl IntoIterator<Item = MemoryAct>) {
        let mut waiting = self.0.acts.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for act in acts {
            if waiting.len() < MOST_WAITING {
                waiting.push(act);
            } else {
                lost(&act);
            }
        }
        drop(waiting);
        self.0.acts.wake.notify_one();
    }

    /// Writes what waits; what cannot be written goes on waiting.
    async fn write_acts(&self) -> Result<(), picard_domain::Error> {
        loop {
            let batch: Vec<MemoryAct> = {
                let mut waiting = self.0.acts.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.len().min(BATCH);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = within(LONGEST_WRITE, self.0.store.record_acts(&batch)).await {
                let mut waiting = self.0.acts.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.splice(0..0, batch);
                return Err(error);
            }
        }
    }

    /// Writes what waits, at a stop.
    pub(crate) async fn keep_acts_now(&self) {
        for _ in 0..LAST_TRIES {
            match self.write_acts().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(cause = %error, "The last acts could not be written yet."),
            }
            tokio::time::sleep(COLLECT).await;
        }
        let waiting = self.0.acts.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().for_each(lost);
    }
}

fn lost(act: &MemoryAct) {
    tracing::error!(event = act.event, user.id = %act.person, details = %act.details, "An act could not be kept.");
}

/// Writes acts until the token is cancelled; [`App::close`] writes the last ones.
pub fn keep_acts(app: App, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.0.acts.wake.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COLLECT) => {}
            }
            if let Err(error) = app.write_acts().await {
                tracing::warn!(cause = %error, "Acts wait for the database to be written.");
                app.0.acts.wake.notify_one();
            }
        }
    })
}
