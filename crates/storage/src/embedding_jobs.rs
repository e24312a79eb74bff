//! Embeddings that are still to be made, shared out among all replicas.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use picard_crypto::{DataKey, TextBinding, open_text};
use picard_domain::{Error, MemoryId, UserId};
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
pub(crate) fn by_person<T>(all: impl Iterator<Item = (Uuid, T)>) -> BTreeMap<Uuid, Vec<T>> {
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
    read_pending(connection, owner, attempts).await
}

/// Reads what the claimed jobs are about.
async fn read_pending(
    connection: &mut PgConnection,
    owner: Uuid,
    attempts: HashMap<Uuid, i32>,
) -> Result<Vec<PendingRow>, Error> {
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
    .fetch_all(connection)
    .await
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
                    tracing::error!(event = "decryption_failed", memory.id = %row.id, "A memory cannot be decrypted and gets no embedding.");
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
