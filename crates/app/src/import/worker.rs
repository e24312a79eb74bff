//! Storing what was taken in.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Error, MemoryId, Permission};
use picard_storage::imports::ClaimedRows;
use picard_storage::memories::{NewMemory, Writer};
use tokio_util::sync::CancellationToken;

use super::row::ImportMemory;
use crate::App;
use crate::changes::Change;
use crate::patience::within;

/// How often the worker looks for imports of other replicas that stopped in the middle.
const POLL: Duration = Duration::from_secs(2);
/// How long rows belong to the one who took them.
const LEASE: Duration = Duration::from_secs(30);
/// The longest that one batch may take; nothing of it is stored then, and it is begun again.
const LONGEST_BATCH: Duration = Duration::from_secs(60);
/// How many rows become memories in one transaction.
const BATCH: i64 = 500;

/// Stores imports. Any number of workers may run, in any number of processes.
pub struct ImportWorker {
    app: App,
}

impl ImportWorker {
    /// A worker for this application.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// Works until the token is cancelled; a batch that has begun is finished.
    pub fn run(self, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while !stop.is_cancelled() {
                let is_idle = match within(LONGEST_BATCH, self.work_once()).await {
                    Ok(has_worked) => !has_worked,
                    Err(error) => {
                        tracing::warn!(cause = %error, "The import worker waits for the database.");
                        true
                    }
                };
                if is_idle {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.app.0.imports.notified() => {}
                        () = tokio::time::sleep(POLL) => {}
                    }
                }
            }
        })
    }

    /// Stores one batch of one import; `false` when there is nothing to do.
    ///
    /// # Errors
    /// As every statement; nothing of the batch is stored then.
    pub fn work_once<'a>(&'a self) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let store = &self.app.0.store;
            let Some(claimed) = store.claim_import(BATCH, LEASE).await? else {
                return Ok(false);
            };
            let (memories, skipped) = self.memories(&claimed).await?;
            let writer = Writer {
                owner: claimed.user_id,
                client: (!claimed.client_id.0.is_nil()).then_some(claimed.client_id),
                model: self.app.0.embedder.model(),
                once: None,
            };
            let is_mine = store.store_import_rows(&claimed, writer, &memories, skipped).await?;
            if is_mine && !memories.is_empty() {
                self.app.wake_embedding_worker();
                let is_open = memories.iter().any(|new| new.permission == Permission::Public);
                self.app.note_change(Change { owner: claimed.user_id, memory: None, is_open });
            }
            Ok(true)
        })
    }

    /// What the rows become, and how many of them the person has already.
    async fn memories(&self, claimed: &ClaimedRows) -> Result<(Vec<NewMemory>, i64), Error> {
        let rows: Vec<ImportMemory> =
            claimed.rows.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>().map_err(Error::internal)?;
        let store = &self.app.0.store;
        let named: Vec<MemoryId> = rows.iter().filter_map(own_id).collect();
        let there: HashSet<MemoryId> = store.own_memories(claimed.user_id, &named).await?.into_iter().collect();
        let groups: Vec<_> = rows.iter().flat_map(|row| row.shared_with.groups.iter().copied()).collect();
        let own_groups: HashSet<_> = store.own_groups(claimed.user_id, &groups).await?.into_iter().collect();
        let now = self.app.0.clock.now();
        let all = rows.len();
        let is_new = |row: &ImportMemory| own_id(row).is_none_or(|id| !there.contains(&id));
        let memory = |(position, row): (u64, ImportMemory)| {
            // Rows without a time keep their order.
            let written = now.as_offset_date_time() + Duration::from_micros(position);
            let mut shared_with = row.shared_with;
            // Groups of another place, or that one has left: the memory comes all the same, for fewer people.
            shared_with.groups.retain(|group| own_groups.contains(group));
            NewMemory {
                id: MemoryId::generate(),
                text: row.text,
                permission: row.permission,
                shared_with,
                tags: row.tags,
                category: row.category,
                expiration_date: row.expiration_date,
                created_at: row.created_at.unwrap_or_else(|| written.into()),
                updated_at: now,
                windows: Vec::new(),
            }
        };
        let memories: Vec<NewMemory> = (0..).zip(rows.into_iter().filter(is_new)).map(memory).collect();
        let skipped = i64::try_from(all - memories.len()).unwrap_or(0);
        Ok((memories, skipped))
    }
}

fn own_id(row: &ImportMemory) -> Option<MemoryId> {
    row.id.as_deref().and_then(|id| id.parse().ok())
}
