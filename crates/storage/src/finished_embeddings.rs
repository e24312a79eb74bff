//! Storing embeddings that were made, each with the text it was made for.

use std::collections::{HashMap, HashSet};

use pgvector::HalfVector;
use picard_domain::{Error, MemoryId, Vector};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::embedding_jobs::{PendingText, TextVersion, by_person};
use crate::error::storage_error;

/// A text and the vectors of its windows.
type Embedded<'a> = (TextVersion, &'a [Vector]);

/// A memory whose text is still the one that was embedded.
struct EmbeddedRow {
    id: Uuid,
    is_public: bool,
}

/// Holds a memory that still has this text, so that the text is not replaced until the transaction ends.
async fn hold(connection: &mut PgConnection, text: TextVersion) -> Result<Vec<EmbeddedRow>, Error> {
    sqlx::query_as!(
        EmbeddedRow,
        r#"SELECT id, permission = 'public' AS "is_public!" FROM memories
           WHERE user_id = $1 AND id = $2 AND text_version = $3 FOR NO KEY UPDATE"#,
        text.owner.0,
        text.memory_id.0,
        text.version,
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}

/// The same for memories of one person, without those that somebody else is changing.
async fn hold_free(connection: &mut PgConnection, owner: Uuid, texts: &[Embedded<'_>]) -> Result<Vec<EmbeddedRow>, Error> {
    let (ids, versions): (Vec<Uuid>, Vec<i64>) = texts.iter().map(|(text, _)| (text.memory_id.0, text.version)).unzip();
    sqlx::query_as!(
        EmbeddedRow,
        r#"SELECT m.id, m.permission = 'public' AS "is_public!"
           FROM memories m JOIN unnest($2::uuid[], $3::bigint[]) AS t (id, version) ON m.id = t.id AND m.text_version = t.version
           WHERE m.user_id = $1 FOR NO KEY UPDATE OF m SKIP LOCKED"#,
        owner,
        &ids,
        &versions,
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}

/// Ends the jobs of memories of one person that this model has done.
async fn end_jobs(connection: &mut PgConnection, owner: Uuid, memories: &[Uuid], model: &str) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM embedding_jobs WHERE user_id = $1 AND memory_id = ANY ($2) AND model IN ('', $3)",
        owner,
        memories,
        model,
    )
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

/// Stores the embeddings of texts of one person whose memories are held.
async fn store_held(
    connection: &mut PgConnection,
    owner: Uuid,
    held: &[EmbeddedRow],
    texts: &[Embedded<'_>],
    (model, ends_jobs): (&str, bool),
) -> Result<(), Error> {
    let is_public: HashMap<Uuid, bool> = held.iter().map(|row| (row.id, row.is_public)).collect();
    let ids: Vec<Uuid> = held.iter().map(|row| row.id).collect();
    let (mut memories, mut positions, mut vectors, mut public) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (text, windows) in texts {
        let Some(&is_public) = is_public.get(&text.memory_id.0) else { continue };
        for (position, window) in (0_i16..).zip(*windows) {
            memories.push(text.memory_id.0);
            positions.push(position);
            vectors.push(HalfVector::from_f32_slice(window.as_slice()));
            public.push(is_public);
        }
    }
    if ends_jobs {
        end_jobs(connection, owner, &ids, model).await?;
    }
    sqlx::query!(
        "INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding, bits, is_public)
         SELECT w.id, $1, $2, w.position, w.embedding,
                CASE WHEN vector_dims(w.embedding) > 512 THEN binary_quantize(w.embedding) END, w.is_public
         FROM unnest($3::uuid[], $4::smallint[], $5::halfvec[], $6::bool[]) AS w (id, position, embedding, is_public)
         ON CONFLICT ON CONSTRAINT memory_embeddings_pkey DO UPDATE SET
             embedding = EXCLUDED.embedding, bits = EXCLUDED.bits, is_public = EXCLUDED.is_public,
             changed_in = EXCLUDED.changed_in",
        owner,
        model,
        &memories,
        &positions,
        &vectors as _,
        &public,
    )
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

impl Store {
    /// Stores a text's embedding, one vector a window, and ends its job if it was made for that; `false` when the text has been replaced
    /// or deleted meanwhile. Storing it twice does no harm.
    ///
    /// # Errors
    /// As every statement.
    pub async fn finish_embedding(
        &self,
        text: TextVersion,
        model: &str,
        windows: &[Vector],
        ends_job: bool,
    ) -> Result<bool, Error> {
        let (owner, texts) = (text.owner.0, [(text, windows)]);
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let held = hold(&mut transaction, text).await?;
        if held.is_empty() {
            return Ok(false);
        }
        store_held(&mut transaction, owner, &held, &texts, (model, ends_job)).await?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(true)
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
        let mut done = HashSet::new();
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        for (owner, texts) in by_person(texts.iter().map(|(text, windows)| (text.of.owner.0, (text.of, *windows)))) {
            let held = hold_free(&mut transaction, owner, &texts).await?;
            if held.is_empty() {
                continue;
            }
            store_held(&mut transaction, owner, &held, &texts, (model, ends_jobs)).await?;
            done.extend(held.iter().map(|row| MemoryId(row.id)));
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(done)
    }
}
