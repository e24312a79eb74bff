//! What an index is made of, and what has changed since.

use std::collections::HashMap;
use std::sync::{Mutex, RwLock};
use std::time::Instant;

use futures_util::TryStreamExt as _;
use pgvector::HalfVector;
use picard_domain::{Error, UserId};
use picard_index::{Entry, Index, Words};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Held, State};
use crate::Store;
use crate::error::storage_error;

/// What the database says before a search.
pub(super) struct News {
    /// Everything before this transaction has ended.
    pub(super) known_until: i64,
    /// The transaction that begins next.
    pub(super) next: i64,
    /// Which run of PostgreSQL this is.
    pub(super) run: i64,
    /// In microseconds since 1970.
    pub(super) now: i64,
    pub(super) has_changes: bool,
}

struct ChangedRow {
    id: Uuid,
    is_there: bool,
    expiration_date: Option<OffsetDateTime>,
    length: Option<i32>,
    words: Option<Vec<i64>>,
    counts: Option<Vec<i16>>,
}

impl ChangedRow {
    fn entry(self) -> Entry {
        let words = match (self.length, self.words, self.counts) {
            (Some(length), Some(hashes), Some(counts)) => Some(Words { length, hashes, counts }),
            _ => None,
        };
        let micros = |moment: OffsetDateTime| i64::try_from(moment.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        Entry { id: self.id, expires_at: self.expiration_date.map(micros), words, vectors: Vec::new() }
    }
}

fn numbers(vector: &HalfVector) -> Vec<f32> {
    vector.as_slice().iter().map(|number| number.to_f32()).collect()
}

impl Store {
    /// Whether anything of a person's has changed in a transaction from this one on.
    pub(super) async fn news(&self, held: &Held, since: i64) -> Result<News, Error> {
        sqlx::query_as!(
            News,
            r#"SELECT pg_snapshot_xmin(s)::text::bigint AS "known_until!", pg_snapshot_xmax(s)::text::bigint AS "next!",
                      (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS "run!",
                      (extract(epoch FROM now()) * 1000000)::bigint AS "now!",
                      (EXISTS (SELECT FROM memories WHERE user_id = $1
                               AND changed_in >= $3::text::xid8 AND changed_in < pg_snapshot_xmax(s))
                       OR EXISTS (SELECT FROM memory_embeddings WHERE user_id = $1 AND model = $2
                                  AND changed_in >= $3::text::xid8 AND changed_in < pg_snapshot_xmax(s))
                       OR EXISTS (SELECT FROM memory_deletions WHERE user_id = $1
                                  AND changed_in >= $3::text::xid8 AND changed_in < pg_snapshot_xmax(s))) AS "has_changes!"
               FROM pg_current_snapshot() AS s"#,
            held.owner.0,
            held.model,
            since.to_string(),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// The memories that have changed in a transaction from this one on, as they are now; `None`: gone.
    pub(super) async fn changes_since(&self, held: &Held, since: i64) -> Result<Vec<(Uuid, Option<Entry>)>, Error> {
        let rows = sqlx::query_as!(
            ChangedRow,
            r#"WITH changed AS (
                   SELECT id FROM memories WHERE user_id = $1 AND changed_in >= $3::text::xid8
                   UNION SELECT memory_id FROM memory_embeddings WHERE user_id = $1 AND model = $2 AND changed_in >= $3::text::xid8
                   UNION SELECT memory_id FROM memory_deletions WHERE user_id = $1 AND changed_in >= $3::text::xid8
               )
               SELECT c.id AS "id!", m.id IS NOT NULL AS "is_there!", m.expiration_date, w.length AS "length?",
                      w.words AS "words?", w.counts AS "counts?"
               FROM changed c LEFT JOIN memories m ON m.id = c.id AND m.user_id = $1 LEFT JOIN memory_words w ON w.user_id = m.user_id AND w.memory_id = m.id"#,
            held.owner.0,
            held.model,
            since.to_string(),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let ids: Vec<Uuid> = rows.iter().filter(|row| row.is_there).map(|row| row.id).collect();
        let windows = sqlx::query!(
            r#"SELECT memory_id, embedding AS "embedding: HalfVector" FROM memory_embeddings WHERE memory_id = ANY ($1) AND model = $2 AND user_id = $3"#,
            &ids,
            held.model,
            held.owner.0,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut vectors: HashMap<Uuid, Vec<Vec<f32>>> = HashMap::new();
        for window in windows {
            vectors.entry(window.memory_id).or_default().push(numbers(&window.embedding));
        }
        let change = |row: ChangedRow| {
            let vectors = vectors.remove(&row.id).unwrap_or_default();
            (row.id, row.is_there.then(|| Entry { vectors, ..row.entry() }))
        };
        Ok(rows.into_iter().map(change).collect())
    }

    /// Reads everything that a person searches; `None` when it turns out to have no room.
    pub(super) async fn load(&self, owner: UserId, model: &str, mut index: Index) -> Result<Option<Held>, Error> {
        let began = sqlx::query!(
            r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "known_until!",
                      (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS "run!""#,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        // Row by row, which a connection of the pool's own does.
        let mut connection = self.pool.acquire().await.map_err(storage_error)?;
        let mut rows = sqlx::query_as!(
            ChangedRow,
            r#"SELECT m.id, true AS "is_there!", m.expiration_date, w.length AS "length?", w.words AS "words?", w.counts AS "counts?"
               FROM memories m LEFT JOIN memory_words w ON w.user_id = m.user_id AND w.memory_id = m.id WHERE m.user_id = $1"#,
            owner.0,
        )
        .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(storage_error)? {
            index.put(&row.entry());
        }
        drop(rows);
        let mut windows = sqlx::query!(
            r#"SELECT memory_id, embedding AS "embedding: HalfVector" FROM memory_embeddings WHERE user_id = $1 AND model = $2"#,
            owner.0,
            model,
        )
        .fetch(&mut *connection);
        // A memory that was written meanwhile will be among the changes.
        while let Some(window) = windows.try_next().await.map_err(storage_error)? {
            index.add_window(window.memory_id, &numbers(&window.embedding));
            if index.bytes() > self.indexes.most_bytes {
                return Ok(None);
            }
        }
        drop(windows);
        let state = State { index, known_until: began.known_until, generation: 0, run: began.run };
        Ok(Some(Held { owner, model: model.to_owned(), state: RwLock::new(state), used_at: Mutex::new(Instant::now()) }))
    }
}
