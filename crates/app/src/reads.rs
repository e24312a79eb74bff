//! Who reads whose memories: noted when it happens, written in batches, so that no read waits for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Memory, UserId};
use picard_storage::audit::MemoryRead;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::App;

/// How long reads are collected before they are written.
const COLLECT: Duration = Duration::from_millis(200);
/// The most reads that wait for a database that is away. What comes then is written to the log instead.
const MOST_WAITING: usize = 100_000;
/// The most reads of one statement.
const BATCH: usize = 1_000;
/// How often the last reads are tried at a stop.
const LAST_TRIES: u32 = 5;

/// Reads that are still to be written.
#[derive(Default)]
pub(crate) struct ReadLog {
    waiting: Mutex<Vec<MemoryRead>>,
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
        let happened_at = self.0.clock.now();
        let read = |(owner, ids): (UserId, Vec<String>)| MemoryRead {
            happened_at,
            reader: caller.user_id,
            client: caller.client_id,
            owner,
            details: json!({ "memory_ids": ids, "door": caller.door.as_str(), "operation": operation }),
        };
        let mut waiting = self.0.reads.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for read in owners.into_iter().map(read) {
            if waiting.len() < MOST_WAITING {
                waiting.push(read);
            } else {
                tracing::error!(user.id = %read.reader, owner.id = %read.owner, details = %read.details, "A read could not be kept.");
            }
        }
        drop(waiting);
        self.0.reads.wake.notify_one();
    }

    /// Writes what waits; what cannot be written goes on waiting.
    async fn write_reads(&self) -> Result<(), picard_domain::Error> {
        loop {
            let batch: Vec<MemoryRead> = {
                let mut waiting = self.0.reads.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.len().min(BATCH);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.0.store.record_reads(&batch).await {
                let mut waiting = self.0.reads.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.splice(0..0, batch);
                return Err(error);
            }
        }
    }

    /// Writes what waits, at a stop.
    pub(crate) async fn keep_reads_now(&self) {
        for _ in 0..LAST_TRIES {
            match self.write_reads().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(cause = %error, "The last reads could not be written yet."),
            }
            tokio::time::sleep(COLLECT).await;
        }
        let waiting = self.0.reads.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for read in waiting.iter() {
            tracing::error!(user.id = %read.reader, owner.id = %read.owner, details = %read.details, "A read could not be kept.");
        }
    }
}

/// Writes reads until the token is cancelled; [`App::close`] writes the last ones.
pub fn keep_reads(app: App, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.0.reads.wake.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COLLECT) => {}
            }
            if let Err(error) = app.write_reads().await {
                tracing::warn!(cause = %error, "Reads wait for the database to be written.");
                app.0.reads.wake.notify_one();
            }
        }
    })
}
