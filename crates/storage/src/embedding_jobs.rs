//! Embeddings that are still to be made, shared out among all replicas.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pgvector::HalfVector;
use picard_crypto::{DataKey, TextBinding, open_text};
use picard_domain::{Error, MemoryId, UserId, Vector};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// How often jobs are looked for while others take them first.
const LOOKS: usize = 4;
/// So many times the jobs that are wanted are looked at.
const MORE_THAN_WANTED: i64 = 4;

/// A text at one version, so that the embedding of a replaced text is not stored.
#[derive(Debug, Clone, Copy)]
pub struct TextVersion {
    /// Whose memory it is.
    pub owner: UserId,
    /// The memory.
    pub memory_id: MemoryId,
    /// The version of the text.
    pub version: i64,
}

/// A text that waits for its embedding.
pub struct PendingText {
    /// Which text.
    pub of: TextVersion,
    /// What it says.
    pub text: String,
    /// How often it has been tried, this time included.
    pub attempts: i32,
}

/// A job that nobody works on.
struct FreeJob {
    memory_id: Uuid,
    user_id: Uuid,
}

pub(crate) struct PendingRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) text_version: i64,
    pub(crate) ciphertext: String,
    pub(crate) data_key: String,
    pub(crate) attempts: i32,
}

impl PendingRow {
    fn version(&self) -> TextVersion {
        TextVersion { owner: UserId(self.user_id), memory_id: MemoryId(self.id), version: self.text_version }
    }
}

/// What belongs to each person, in an order that is the same for everybody, so that nobody waits in a circle.
fn by_person<T>(all: impl Iterator<Item = (Uuid, T)>) -> BTreeMap<Uuid, Vec<T>> {
    let mut people: BTreeMap<Uuid, Vec<T>> = BTreeMap::new();
    for (person, one) in all {
        people.entry(person).or_default().push(one);
    }
    people
}

/// Takes those of a person's jobs that nobody has taken meanwhile.
async fn claim_of_person(
    connection: &mut PgConnection,
    model: &str,
    owner: Uuid,
    memories: &[Uuid],
    lease: Duration,
) -> Result<Vec<PendingRow>, Error> {
    let claimed = sqlx::query!(
        "UPDATE embedding_jobs SET run_after = now() + make_interval(secs => $4), attempts = attempts + 1
         WHERE user_id = $1 AND (memory_id, model) IN (
             SELECT memory_id, model FROM embedding_jobs
             WHERE user_id = $1 AND memory_id = ANY ($2) AND failed_at IS NULL AND run_after <= now() AND model IN ('', $3)
             FOR UPDATE SKIP LOCKED)
         RETURNING memory_id, attempts",
        owner,
        memories,
        model,
        lease.as_secs_f64(),
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(storage_error)?;
    // A memory may have several jobs, for different models.
    let mut attempts: HashMap<Uuid, i32> = HashMap::new();
    for job in claimed {
        let most = attempts.entry(job.memory_id).or_default();
        *most = job.attempts.max(*most);
    }
    let (memories, attempts): (Vec<Uuid>, Vec<i32>) = attempts.into_iter().unzip();
    sqlx::query_as!(
        PendingRow,
        r#"SELECT m.id, m.user_id, m.text_version, m.ciphertext, u.data_key, c.attempts AS "attempts!"
           FROM unnest($2::uuid[], $3::integer[]) AS c (memory_id, attempts)
           JOIN memories m ON m.id = c.memory_id AND m.user_id = $1 JOIN users u ON u.id = m.user_id"#,
        owner,
        &memories,
        &attempts,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(storage_error)
}

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
        sqlx::query!(
            "DELETE FROM embedding_jobs WHERE user_id = $1 AND memory_id = ANY ($2) AND model IN ('', $3)",
            owner,
            &ids,
            model,
        )
        .execute(&mut *connection)
        .await
        .map_err(storage_error)?;
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
    /// Takes up to `limit` jobs that this model can do and nobody else works on, and holds them for `lease`.
    ///
    /// # Errors
    /// As every statement.
    pub async fn claim_embedding_jobs(&self, model: &str, limit: i64, lease: Duration) -> Result<Vec<PendingText>, Error> {
        let wanted = usize::try_from(limit).unwrap_or_default();
        let mut rows = Vec::new();
        for _ in 0..LOOKS {
            let mut free = self.free_embedding_jobs(model, limit * MORE_THAN_WANTED).await?;
            if free.is_empty() {
                break;
            }
            // Everybody begins somewhere else: those who look at the same time seldom want the same.
            let first = usize::from(Uuid::new_v4().as_bytes()[0]) % free.len();
            free.rotate_left(first);
            free.truncate(wanted - rows.len());
            let memories: HashSet<Uuid> = free.iter().map(|job| job.memory_id).collect();
            let claimed = self.claim_free(model, &free, lease).await?;
            let is_all = claimed.len() >= memories.len();
            rows.extend(claimed);
            if is_all || rows.len() >= wanted {
                break;
            }
        }
        self.open_claimed(model, &rows).await
    }

    /// Jobs that nobody works on; whoever wants them has to take them.
    async fn free_embedding_jobs(&self, model: &str, limit: i64) -> Result<Vec<FreeJob>, Error> {
        sqlx::query_as!(
            FreeJob,
            "SELECT memory_id, user_id FROM embedding_jobs WHERE failed_at IS NULL AND run_after <= now() AND model IN ('', $2)
             ORDER BY run_after LIMIT $1",
            limit,
            model,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// Takes jobs, person by person, because the rows of different people may lie on different nodes (docs/scaling.md).
    async fn claim_free(&self, model: &str, free: &[FreeJob], lease: Duration) -> Result<Vec<PendingRow>, Error> {
        let mut rows = Vec::new();
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        for (owner, memories) in by_person(free.iter().map(|job| (job.user_id, job.memory_id))) {
            rows.extend(claim_of_person(&mut transaction, model, owner, &memories, lease).await?);
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(rows)
    }

    async fn open_claimed(&self, model: &str, rows: &[PendingRow]) -> Result<Vec<PendingText>, Error> {
        let mut texts = Vec::with_capacity(rows.len());
        let mut keys = HashMap::new();
        for row in rows {
            match self.open_pending(row, &mut keys) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    tracing::error!(memory.id = %row.id, "A memory cannot be decrypted and gets no embedding.");
                    self.fail_embedding(model, row.version(), &error.to_string()).await?;
                }
            }
        }
        Ok(texts)
    }

    pub(crate) fn open_pending(&self, row: &PendingRow, keys: &mut HashMap<Uuid, Arc<DataKey>>) -> Result<PendingText, Error> {
        let key = match keys.entry(row.user_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.open_data_key(row.user_id, &row.data_key)?),
        };
        let binding = TextBinding { memory_id: *row.id.as_bytes(), owner_id: *row.user_id.as_bytes(), version: row.text_version };
        let text = open_text(key, &binding, &row.ciphertext).map_err(Error::internal)?;
        Ok(PendingText { of: row.version(), text, attempts: row.attempts })
    }

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

    /// Puts jobs back, to be tried again after a pause.
    ///
    /// # Errors
    /// As every statement.
    pub async fn postpone_embeddings(
        &self,
        model: &str,
        texts: &[TextVersion],
        pause: Duration,
        reason: &str,
    ) -> Result<(), Error> {
        let (ids, people): (Vec<Uuid>, Vec<Uuid>) = texts.iter().map(|text| (text.memory_id.0, text.owner.0)).unzip();
        sqlx::query!(
            "UPDATE embedding_jobs SET run_after = now() + make_interval(secs => $2), last_error = $3
             WHERE memory_id = ANY ($1) AND user_id = ANY ($5) AND model IN ('', $4)",
            &ids,
            pause.as_secs_f64(),
            reason,
            model,
            &people,
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
    pub async fn fail_embedding(&self, model: &str, text: TextVersion, reason: &str) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE embedding_jobs SET failed_at = now(), last_error = $3
             WHERE user_id = $5 AND model IN ('', $4)
               AND memory_id = (SELECT id FROM memories WHERE id = $1 AND user_id = $5 AND text_version = $2 FOR NO KEY UPDATE)",
            text.memory_id.0,
            text.version,
            reason,
            model,
            text.owner.0,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
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
