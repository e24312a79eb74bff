//! Imports: rows that were taken in wait here, sealed, until they are memories. Every row is taken out of the queue in the
//! transaction that stores its memory, so it becomes one exactly once.

use std::time::Duration;

use picard_crypto::{TextBinding, open_text, seal_text};
use picard_domain::commands::Once;
use picard_domain::{ClientId, Error, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;
use crate::memories::{NewMemory, Writer};

/// Names an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportId(pub Uuid);

impl ImportId {
    /// Makes a new random identifier.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

/// An import to be made.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// The import.
    pub id: ImportId,
    /// Whose memories they become.
    pub user_id: UserId,
    /// Through which client.
    pub client_id: ClientId,
    /// Whether one wrong row means that nothing is stored.
    pub stops: bool,
}

/// What was read of a stream, when it is over.
#[derive(Debug, Clone, Default)]
pub struct ReadImport {
    /// How many memories it has in all.
    pub total: i64,
    /// How many of them are wrong.
    pub failed: i64,
    /// What is wrong with the first of those.
    pub errors: Vec<ImportError>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportError {
    /// The row, counted from 1.
    pub row: u64,
    /// The member that is wrong; empty for the row as a whole.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// How an import stands.
#[derive(Debug, Clone, Serialize)]
pub struct Import {
    /// `queued`, `running`, `done` or `failed`.
    pub status: String,
    /// How many memories it has in all.
    pub total: i64,
    /// How many were stored, or were there already.
    pub done: i64,
    /// How many of these were there already.
    pub skipped: i64,
    /// How many were refused.
    pub failed: i64,
    /// What is wrong with the first of those.
    pub errors: Vec<ImportError>,
    /// When it was taken in.
    pub created_at: Timestamp,
}

/// Rows that somebody works on.
#[derive(Debug)]
pub struct ClaimedRows {
    /// The import.
    pub id: ImportId,
    /// Whose memories they become.
    pub user_id: UserId,
    /// Through which client.
    pub client_id: ClientId,
    /// The rows as they were queued.
    pub rows: Vec<String>,
    numbers: Vec<i64>,
}

/// An import that somebody works on now.
struct TakenImport {
    id: Uuid,
    user_id: Uuid,
    client_id: Uuid,
}

/// So many imports that nobody works on are tried before giving up until the next look.
const FREE_IMPORTS: i64 = 10;

fn binding(import: ImportId, owner: UserId, number: i64) -> TextBinding {
    // Versions of texts count from 1, so that no row can pass for a text.
    TextBinding { memory_id: *import.0.as_bytes(), owner_id: *owner.0.as_bytes(), version: -number }
}

impl Store {
    /// Makes an import that nobody works on yet.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_import(&self, new: &NewImport) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO imports (id, user_id, client_id, stops, status, run_after) VALUES ($1, $2, $3, $4, 'queued', 'infinity')",
            new.id.0,
            new.user_id.0,
            new.client_id.0,
            new.stops,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Puts rows into the queue; `last` is the number of rows that were read so far, these included.
    ///
    /// # Errors
    /// As every statement.
    pub async fn queue_import_rows(&self, new: &NewImport, last: i64, rows: &[String]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let key = self.data_key(new.user_id).await?.ok_or(Error::NotFound)?;
        let count = i64::try_from(rows.len()).unwrap_or(0);
        let numbers: Vec<i64> = (last - count + 1..=last).collect();
        let sealed: Vec<String> = numbers
            .iter()
            .zip(rows)
            .map(|(&number, row)| seal_text(&key, &binding(new.id, new.user_id, number), row, self.now()))
            .collect();
        sqlx::query!(
            "INSERT INTO import_rows (import_id, user_id, number, ciphertext)
             SELECT $1, $2, r.number, r.ciphertext FROM unnest($3::bigint[], $4::text[]) AS r (number, ciphertext)",
            new.id.0,
            new.user_id.0,
            &numbers,
            &sealed,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Lets the work begin, and gives the import back; a call that was made before gives the former import back, and
    /// nothing begins. Or, for an import that stops and has a wrong row, ends it with nothing stored.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn start_import(&self, new: &NewImport, read: &ReadImport, once: Option<&Once>) -> Result<ImportId, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = once {
            let key = self.data_key(new.user_id).await?.ok_or(Error::NotFound)?;
            if let Some(before) = self.claim(&mut transaction, new.user_id, &key, once).await? {
                return Ok(before);
            }
            self.remember(&mut transaction, new.user_id, &key, once, &new.id).await?;
        }
        let errors = serde_json::to_value(&read.errors).map_err(Error::internal)?;
        let is_refused = new.stops && read.failed > 0;
        if is_refused {
            sqlx::query!("DELETE FROM import_rows WHERE import_id = $1 AND user_id = $2", new.id.0, new.user_id.0)
                .execute(&mut *transaction)
                .await
                .map_err(storage_error)?;
        }
        sqlx::query!(
            "UPDATE imports SET total = $2, failed = $3, errors = $4, status = $5, run_after = now(), updated_at = now()
             WHERE id = $1 AND user_id = $6",
            new.id.0,
            read.total,
            read.failed,
            errors,
            if is_refused { "failed" } else { "queued" },
            new.user_id.0,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(new.id)
    }

    /// Deletes an import with its rows.
    ///
    /// # Errors
    /// As every statement.
    pub async fn delete_import(&self, new: &NewImport) -> Result<(), Error> {
        sqlx::query!("DELETE FROM imports WHERE id = $1 AND user_id = $2", new.id.0, new.user_id.0)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(storage_error)
    }

    /// How an import of this person stands.
    ///
    /// # Errors
    /// As every statement.
    pub async fn import(&self, owner: UserId, id: ImportId) -> Result<Option<Import>, Error> {
        let row = sqlx::query!(
            "SELECT status, total, done, skipped, failed, errors, created_at FROM imports WHERE id = $1 AND user_id = $2",
            id.0,
            owner.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        row.map(|row| {
            Ok(Import {
                status: row.status,
                total: row.total,
                done: row.done,
                skipped: row.skipped,
                failed: row.failed,
                errors: serde_json::from_value(row.errors).map_err(Error::internal)?,
                created_at: row.created_at.into(),
            })
        })
        .transpose()
    }

    /// A free import is looked for at all nodes, and taken at the one that has it (docs/scaling.md).
    async fn take_import(&self, lease: Duration) -> Result<Option<TakenImport>, Error> {
        let free = sqlx::query!(
            "SELECT id, user_id FROM imports WHERE status IN ('queued', 'running') AND run_after <= now() ORDER BY run_after LIMIT $1",
            FREE_IMPORTS,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        for candidate in free {
            let taken = sqlx::query_as!(
                TakenImport,
                "UPDATE imports SET status = 'running', run_after = now() + make_interval(secs => $1), updated_at = now()
                 WHERE user_id = $3 AND id = (
                     SELECT id FROM imports
                     WHERE id = $2 AND user_id = $3 AND status IN ('queued', 'running') AND run_after <= now() FOR UPDATE SKIP LOCKED)
                 RETURNING id, user_id, client_id",
                lease.as_secs_f64(),
                candidate.id,
                candidate.user_id,
            )
            .fetch_optional(&self.pool)
            .await
            .map_err(storage_error)?;
            if taken.is_some() {
                return Ok(taken);
            }
        }
        Ok(None)
    }

    /// Takes the next rows of an import that nobody works on, and holds the import for `lease`. An import without rows is
    /// done and comes back with none.
    ///
    /// # Errors
    /// [`Error::Internal`] when a row cannot be decrypted; as every statement.
    pub async fn claim_import(&self, limit: i64, lease: Duration) -> Result<Option<ClaimedRows>, Error> {
        let Some(import) = self.take_import(lease).await? else { return Ok(None) };
        let (id, user_id) = (ImportId(import.id), UserId(import.user_id));
        let rows = sqlx::query!(
            "SELECT number, ciphertext FROM import_rows WHERE import_id = $1 AND user_id = $3 ORDER BY number LIMIT $2",
            id.0,
            limit,
            user_id.0
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let key = self.data_key(user_id).await?.ok_or(Error::NotFound)?;
        let open = |number, ciphertext: &str| open_text(&key, &binding(id, user_id, number), ciphertext).map_err(Error::internal);
        let texts = rows.iter().map(|row| open(row.number, &row.ciphertext)).collect::<Result<_, _>>()?;
        let numbers = rows.iter().map(|row| row.number).collect();
        Ok(Some(ClaimedRows { id, user_id, client_id: ClientId(import.client_id), rows: texts, numbers }))
    }

    /// Stores what the rows became and takes them out of the queue; `false`, and nothing is stored, when somebody else
    /// has done it. Without rows the import is done.
    ///
    /// # Errors
    /// As every statement.
    pub async fn store_import_rows(
        &self,
        claimed: &ClaimedRows,
        writer: Writer<'_>,
        memories: &[NewMemory],
        skipped: i64,
    ) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let gone = sqlx::query!(
            "DELETE FROM import_rows WHERE import_id = $1 AND user_id = $3 AND number = ANY ($2)",
            claimed.id.0,
            &claimed.numbers,
            claimed.user_id.0,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?
        .rows_affected();
        if gone != claimed.numbers.len() as u64 {
            return Ok(false);
        }
        self.insert_memories(&mut transaction, writer, memories).await?;
        sqlx::query!(
            "UPDATE imports SET done = done + $2, skipped = skipped + $3, run_after = now(), updated_at = now(),
                 status = CASE WHEN EXISTS (SELECT 1 FROM import_rows WHERE import_id = $1 AND user_id = $4) THEN 'running' ELSE 'done' END
             WHERE id = $1 AND user_id = $4",
            claimed.id.0,
            i64::try_from(memories.len()).unwrap_or(0) + skipped,
            skipped,
            claimed.user_id.0,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(true)
    }
}
