//! Storing, changing and deleting memories. A text and the job that embeds it are written in one transaction.

use picard_crypto::seal_text;
use picard_domain::memory::{Category, EmbeddingStatus, SharedWith, Tags};
use picard_domain::{Error, Memory, MemoryId, MemoryText, Permission, Timestamp, UserId};

use super::binding;
use crate::Store;
use crate::error::storage_error;

/// A memory to be stored.
#[derive(Debug, Clone)]
pub struct NewMemory {
    /// The memory.
    pub id: MemoryId,
    /// Its owner.
    pub user_id: UserId,
    /// What is remembered.
    pub text: MemoryText,
    /// Who may see it.
    pub permission: Permission,
    /// Labels.
    pub tags: Tags,
    /// Category.
    pub category: Option<Category>,
    /// When it stops being shown.
    pub expiration_date: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed: now.
    pub updated_at: Timestamp,
}

/// What of a memory is to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct MemoryChange {
    /// The new text.
    pub text: Option<MemoryText>,
    /// The new permission.
    pub permission: Option<Permission>,
    /// The new labels.
    pub tags: Option<Tags>,
    /// The new category, or none.
    pub category: Option<Option<Category>>,
    /// The new expiration date, or none.
    pub expiration_date: Option<Option<Timestamp>>,
    /// Change it only if this is its version.
    pub expected_version: Option<i64>,
}

impl MemoryChange {
    /// Whether nothing is to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.permission.is_none()
            && self.tags.is_none()
            && self.category.is_none()
            && self.expiration_date.is_none()
    }
}

impl Store {
    /// Stores a memory; nobody else takes its embedding job for `lease_seconds`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such owner (any more); as every statement.
    pub async fn create_memory(&self, new: &NewMemory, lease_seconds: f64) -> Result<Memory, Error> {
        let key = self.data_key(new.user_id).await?.ok_or(Error::NotFound)?;
        let ciphertext = seal_text(&key, &binding(new.id.0, new.user_id.0, 1), new.text.as_str(), self.now());
        let is_expired = sqlx::query_scalar!(
            r#"WITH m AS (
                 INSERT INTO memories (id, user_id, ciphertext, permission, tags, category, expiration_date, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             )
             INSERT INTO embedding_jobs (memory_id, user_id, run_after) VALUES ($1, $2, now() + make_interval(secs => $10))
             RETURNING coalesce($7 <= now(), false) AS "is_expired!""#,
            new.id.0,
            new.user_id.0,
            ciphertext,
            new.permission.as_str(),
            &new.tags.to_words(),
            new.category.as_ref().map(Category::as_str),
            new.expiration_date.map(Timestamp::as_offset_date_time),
            new.created_at.as_offset_date_time(),
            new.updated_at.as_offset_date_time(),
            lease_seconds,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(stored(new, is_expired))
    }

    /// Changes a memory of its owner and gives back its new version. A new text drops the embedding of the old one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the owner has no such memory, [`Error::VersionMismatch`]; as every statement.
    pub async fn update_memory(
        &self,
        owner: UserId,
        id: MemoryId,
        change: &MemoryChange,
        lease_seconds: f64,
    ) -> Result<i64, Error> {
        let key = self.data_key(owner).await?.ok_or(Error::NotFound)?;
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let current =
            sqlx::query_scalar!("SELECT version FROM memories WHERE id = $1 AND user_id = $2 FOR UPDATE", id.0, owner.0)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(storage_error)?
                .ok_or(Error::NotFound)?;
        if change.expected_version.is_some_and(|expected| expected != current) {
            return Err(Error::VersionMismatch { current });
        }
        let version = current + 1;
        let tags = change.tags.as_ref().map(Tags::to_words);
        let ciphertext =
            change.text.as_ref().map(|text| seal_text(&key, &binding(id.0, owner.0, version), text.as_str(), self.now()));
        sqlx::query!(
            "UPDATE memories SET
                 version = $2,
                 ciphertext = coalesce($3, ciphertext),
                 text_version = CASE WHEN $3::text IS NULL THEN text_version ELSE $2 END,
                 permission = coalesce($4, permission),
                 tags = coalesce($5, tags),
                 category = CASE WHEN $6 THEN $7 ELSE category END,
                 expiration_date = CASE WHEN $8 THEN $9 ELSE expiration_date END,
                 updated_at = $10
             WHERE id = $1",
            id.0,
            version,
            ciphertext,
            change.permission.map(Permission::as_str),
            tags.as_deref(),
            change.category.is_some(),
            change.category.as_ref().and_then(|category| category.as_ref().map(Category::as_str)),
            change.expiration_date.is_some(),
            change.expiration_date.flatten().map(Timestamp::as_offset_date_time),
            self.clock.now().as_offset_date_time(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        if ciphertext.is_some() {
            ask_for_embedding(&mut transaction, owner, id, lease_seconds).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(version)
    }

    /// Deletes a memory of its owner for good, its embedding with it; `false` when the owner has no such memory.
    ///
    /// # Errors
    /// As every statement.
    pub async fn delete_memory(&self, owner: UserId, id: MemoryId) -> Result<bool, Error> {
        sqlx::query!("DELETE FROM memories WHERE id = $1 AND user_id = $2", id.0, owner.0)
            .execute(&self.pool)
            .await
            .map(|outcome| outcome.rows_affected() == 1)
            .map_err(storage_error)
    }
}

/// Drops the embedding of a text that has been replaced and asks for a new one.
async fn ask_for_embedding(
    transaction: &mut sqlx::Transaction<'_, sqlx::Postgres>,
    owner: UserId,
    id: MemoryId,
    lease_seconds: f64,
) -> Result<(), Error> {
    sqlx::query!(
        "WITH old AS (DELETE FROM memory_embeddings WHERE memory_id = $1)
         INSERT INTO embedding_jobs (memory_id, user_id, run_after) VALUES ($1, $2, now() + make_interval(secs => $3))
         ON CONFLICT (memory_id) DO UPDATE SET run_after = EXCLUDED.run_after, attempts = 0, failed_at = NULL, last_error = NULL",
        id.0,
        owner.0,
        lease_seconds,
    )
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

fn stored(new: &NewMemory, is_expired: bool) -> Memory {
    Memory {
        id: new.id,
        user_id: new.user_id,
        text: new.text.as_str().to_owned(),
        permission: new.permission,
        tags: new.tags.to_words(),
        category: new.category.clone().map(String::from),
        shared_with: Some(SharedWith::default()),
        expiration_date: new.expiration_date,
        is_expired,
        version: 1,
        embedding_status: EmbeddingStatus::Pending,
        created_at: new.created_at,
        updated_at: new.updated_at,
    }
}
