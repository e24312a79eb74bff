//! Embeddings of a model that is new: which memories have none yet, and an end to those of other models.

use std::collections::HashMap;

use picard_domain::{Error, MemoryId};

use crate::Store;
use crate::embedding_jobs::{PendingRow, PendingText};
use crate::error::storage_error;

impl Store {
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
               WHERE m.id > $2 AND NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.user_id = m.user_id AND e.memory_id = m.id AND e.model = $1)
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
               WHERE NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.user_id = m.user_id AND e.memory_id = m.id AND e.model = $1)"#,
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
                "DELETE FROM memory_embeddings WHERE model <> $1 AND (user_id, memory_id) IN (
                     SELECT user_id, memory_id FROM memory_embeddings WHERE model <> $1 LIMIT 5000)",
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
        let people = sqlx::query_scalar!(
            "SELECT DISTINCT m.user_id FROM memories m
             WHERE NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.user_id = m.user_id AND e.memory_id = m.id AND e.model = $1)",
            model,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut count = 0;
        // Person by person: rows can be held at one node only (docs/scaling.md).
        for person in people {
            count += sqlx::query!(
                "INSERT INTO embedding_jobs (memory_id, user_id, model)
                 SELECT m.id, m.user_id, $1 FROM memories m
                 WHERE m.user_id = $2
                   AND NOT EXISTS (SELECT 1 FROM memory_embeddings e WHERE e.user_id = $2 AND e.memory_id = m.id AND e.model = $1)
                   AND NOT EXISTS (SELECT 1 FROM embedding_jobs j
                                   WHERE j.user_id = $2 AND j.memory_id = m.id AND j.model = '' AND j.failed_at IS NOT NULL)
                 FOR KEY SHARE OF m ON CONFLICT DO NOTHING",
                model,
                person,
            )
            .execute(&self.pool)
            .await
            .map_err(storage_error)?
            .rows_affected();
        }
        Ok(count)
    }
}
