//! Embeddings that are still to be made, shared out among all replicas.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pgvector::HalfVector;
use picard_crypto::{DataKey, TextBinding, open_text};
use picard_domain::{Error, MemoryId, Vector};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// A text that waits for its embedding.
pub struct PendingText {
    /// The memory.
    pub memory_id: MemoryId,
    /// The version of the text, so that the embedding of a replaced text is not stored.
    pub text_version: i64,
    /// The text.
    pub text: String,
    /// How often it has been tried, this time included.
    pub attempts: i32,
}

struct PendingRow {
    id: Uuid,
    user_id: Uuid,
    text_version: i64,
    ciphertext: String,
    data_key: String,
    attempts: i32,
}

impl Store {
    /// Takes up to `limit` jobs that this model can do and nobody else works on, and holds them for `lease`.
    ///
    /// # Errors
    /// As every statement.
    pub async fn claim_embedding_jobs(&self, model: &str, limit: i64, lease: Duration) -> Result<Vec<PendingText>, Error> {
        let rows = sqlx::query_as!(
            PendingRow,
            "WITH claimed AS (
                 UPDATE embedding_jobs SET run_after = now() + make_interval(secs => $2), attempts = attempts + 1
                 WHERE (memory_id, model) IN (
                     SELECT memory_id, model FROM embedding_jobs WHERE failed_at IS NULL AND run_after <= now() AND model IN ('', $3)
                     ORDER BY run_after LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING memory_id, attempts
             )
             SELECT DISTINCT ON (m.id) m.id, m.user_id, m.text_version, m.ciphertext, u.data_key, c.attempts
             FROM claimed c JOIN memories m ON m.id = c.memory_id JOIN users u ON u.id = m.user_id
             ORDER BY m.id, c.attempts DESC",
            limit,
            lease.as_secs_f64(),
            model,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut texts = Vec::with_capacity(rows.len());
        let mut keys = HashMap::new();
        for row in rows {
            match self.open_pending(&row, &mut keys) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    tracing::error!(memory.id = %row.id, "A memory cannot be decrypted and gets no embedding.");
                    self.fail_embedding(model, MemoryId(row.id), row.text_version, &error.to_string()).await?;
                }
            }
        }
        Ok(texts)
    }

    fn open_pending(&self, row: &PendingRow, keys: &mut HashMap<Uuid, Arc<DataKey>>) -> Result<PendingText, Error> {
        let key = match keys.entry(row.user_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.open_data_key(row.user_id, &row.data_key)?),
        };
        let binding = TextBinding { memory_id: *row.id.as_bytes(), owner_id: *row.user_id.as_bytes(), version: row.text_version };
        let text = open_text(key, &binding, &row.ciphertext).map_err(Error::internal)?;
        Ok(PendingText { memory_id: MemoryId(row.id), text_version: row.text_version, text, attempts: row.attempts })
    }

    /// Stores a text's embedding, one vector a window, and ends its job if it was made for that; `false` when the text has been replaced
    /// or deleted meanwhile. Storing it twice does no harm.
    ///
    /// # Errors
    /// As every statement.
    pub async fn finish_embedding(
        &self,
        id: MemoryId,
        text_version: i64,
        model: &str,
        windows: &[Vector],
        ends_job: bool,
    ) -> Result<bool, Error> {
        let vectors: Vec<HalfVector> = windows.iter().map(|vector| HalfVector::from_f32_slice(vector.as_slice())).collect();
        let count = sqlx::query_scalar!(
            r#"WITH m AS MATERIALIZED (
                 SELECT id, user_id, permission FROM memories WHERE id = $1 AND text_version = $2 FOR NO KEY UPDATE
             ), done AS (
                 DELETE FROM embedding_jobs WHERE $5 AND memory_id IN (SELECT id FROM m) AND model IN ('', $3)
             ), new AS (
                 INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding, bits, is_public)
                 SELECT m.id, m.user_id, $3, w.position - 1, w.embedding,
                        CASE WHEN vector_dims(w.embedding) > 512 THEN binary_quantize(w.embedding) END, m.permission = 'public'
                 FROM m, unnest($4::halfvec[]) WITH ORDINALITY AS w (embedding, position)
                 ON CONFLICT ON CONSTRAINT memory_embeddings_pkey DO UPDATE SET
                     embedding = EXCLUDED.embedding, bits = EXCLUDED.bits, is_public = EXCLUDED.is_public,
                     changed_in = EXCLUDED.changed_in
             )
             SELECT count(*) AS "count!" FROM m"#,
            id.0,
            text_version,
            model,
            &vectors as _,
            ends_job,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(count == 1)
    }

    /// Stores the embeddings of several texts as [`Store::finish_embedding`] does, and answers of which. A memory that
    /// somebody else is changing is left out: waiting for one while holding others could end in a deadlock.
    ///
    /// # Errors
    /// As every statement.
    pub async fn finish_embeddings(
        &self,
        model: &str,
        texts: &[(&PendingText, &[Vector])],
        ends_jobs: bool,
    ) -> Result<HashSet<MemoryId>, Error> {
        let (mut ids, mut versions) = (Vec::new(), Vec::new());
        let (mut memories, mut positions, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (text, windows) in texts {
            ids.push(text.memory_id.0);
            versions.push(text.text_version);
            for (position, window) in (0_i16..).zip(*windows) {
                memories.push(text.memory_id.0);
                positions.push(position);
                vectors.push(HalfVector::from_f32_slice(window.as_slice()));
            }
        }
        let done = sqlx::query_scalar!(
            "WITH m AS MATERIALIZED (
                 SELECT m.id, m.user_id, m.permission FROM memories m JOIN unnest($1::uuid[], $2::bigint[]) AS t (id, version)
                 ON m.id = t.id AND m.text_version = t.version FOR NO KEY UPDATE OF m SKIP LOCKED
             ), done AS (
                 DELETE FROM embedding_jobs WHERE $3 AND memory_id IN (SELECT id FROM m) AND model IN ('', $4)
             ), new AS (
                 INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding, bits, is_public)
                 SELECT m.id, m.user_id, $4, w.position, w.embedding,
                        CASE WHEN vector_dims(w.embedding) > 512 THEN binary_quantize(w.embedding) END, m.permission = 'public'
                 FROM m JOIN unnest($5::uuid[], $6::smallint[], $7::halfvec[]) AS w (id, position, embedding) ON w.id = m.id
                 ON CONFLICT ON CONSTRAINT memory_embeddings_pkey DO UPDATE SET
                     embedding = EXCLUDED.embedding, bits = EXCLUDED.bits, is_public = EXCLUDED.is_public,
                     changed_in = EXCLUDED.changed_in
             )
             SELECT id FROM m",
            &ids,
            &versions,
            ends_jobs,
            model,
            &memories,
            &positions,
            &vectors as _,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(done.into_iter().map(MemoryId).collect())
    }

    /// Puts jobs back, to be tried again after a pause.
    ///
    /// # Errors
    /// As every statement.
    pub async fn postpone_embeddings(&self, model: &str, ids: &[MemoryId], pause: Duration, reason: &str) -> Result<(), Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            "UPDATE embedding_jobs SET run_after = now() + make_interval(secs => $2), last_error = $3
             WHERE memory_id = ANY ($1) AND model IN ('', $4)",
            &ids,
            pause.as_secs_f64(),
            reason,
            model,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Gives up on a text that cannot be embedded; the memory stays and is found by everything but its meaning.
    ///
    /// # Errors
    /// As every statement.
    pub async fn fail_embedding(&self, model: &str, id: MemoryId, text_version: i64, reason: &str) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE embedding_jobs SET failed_at = now(), last_error = $3
             WHERE memory_id = (SELECT id FROM memories WHERE id = $1 AND text_version = $2 FOR NO KEY UPDATE) AND model IN ('', $4)",
            id.0,
            text_version,
            reason,
            model,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Reads memories that have no embedding of this model, beginning after an id, in the order of their ids, and the
    /// last id that was looked at; one that cannot be decrypted is left out.
    ///
    /// # Errors
    /// As every statement.
    pub async fn texts_without_model(
        &self,
        model: &str,
        after: MemoryId,
        limit: i64,
    ) -> Result<(Vec<PendingText>, Option<MemoryId>), Error> {
        let rows = sqlx::query_as!(
            PendingRow,
            r#"SELECT m.id, m.user_id, m.text_version, m.ciphertext, u.data_key, 1 AS "attempts!"
               FROM memories m JOIN users u ON u.id = m.user_id
               WHERE m.id > $2 AND NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.memory_id = m.id AND e.model = $1)
               ORDER BY m.id LIMIT $3"#,
            model,
            after.0,
            limit,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut keys = HashMap::new();
        let open = |row: &PendingRow| {
            self.open_pending(row, &mut keys)
                .inspect_err(|_| tracing::error!(memory.id = %row.id, "A memory cannot be decrypted and gets no embedding."))
                .ok()
        };
        let last = rows.last().map(|row| MemoryId(row.id));
        Ok((rows.iter().filter_map(open).collect(), last))
    }

    /// How many memories have no embedding of this model.
    ///
    /// # Errors
    /// As every statement.
    pub async fn count_without_model(&self, model: &str) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM memories m
               WHERE NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.memory_id = m.id AND e.model = $1)"#,
            model,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// Deletes the embeddings of all other models; answers how many.
    ///
    /// # Errors
    /// As every statement.
    pub async fn drop_other_embeddings(&self, model: &str) -> Result<u64, Error> {
        let mut all = 0;
        loop {
            // In pieces, so that no statement takes long.
            let gone = sqlx::query!(
                "DELETE FROM memory_embeddings WHERE ctid = ANY (ARRAY(SELECT ctid FROM memory_embeddings WHERE model <> $1 LIMIT 5000))",
                model,
            )
            .execute(&self.pool)
            .await
            .map_err(storage_error)?
            .rows_affected();
            all += gone;
            if gone == 0 {
                return Ok(all);
            }
        }
    }

    /// Asks for the embeddings of all memories that have none of this model and no job; answers how many.
    ///
    /// # Errors
    /// As every statement.
    pub async fn ask_for_missing_embeddings(&self, model: &str) -> Result<u64, Error> {
        sqlx::query!(
            "INSERT INTO embedding_jobs (memory_id, user_id, model)
             SELECT m.id, m.user_id, $1 FROM memories m
             WHERE NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.memory_id = m.id AND e.model = $1)
               AND NOT EXISTS (SELECT 1 FROM embedding_jobs j WHERE j.memory_id = m.id AND j.model = '' AND j.failed_at IS NOT NULL)
             FOR KEY SHARE OF m ON CONFLICT DO NOTHING",
            model,
        )
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected())
        .map_err(storage_error)
    }

    /// How many texts wait for their embedding by this model.
    ///
    /// # Errors
    /// As every statement.
    pub async fn embedding_backlog(&self, model: &str) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM embedding_jobs WHERE failed_at IS NULL AND model IN ('', $1)"#,
            model
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }
}
