//! Changing and deleting memories. What a memory was stays in its history.

use pgvector::HalfVector;
use picard_crypto::{DataKey, open_text, seal_text};
use picard_domain::commands::{Deleted, Once};
use picard_domain::memory::{Category, SharedWith, Tags};
use picard_domain::{Error, Memory, MemoryId, MemoryText, Permission, Timestamp, UserId, Vector};
use sqlx::{Postgres, Transaction};

use super::create::Writer;
use super::shares::{drop_foreign_groups, replace_shares, shares_of};
use super::words::WordHasher;
use super::{Decryptor, MemoryRow, binding, select_memories};
use crate::Store;
use crate::error::storage_error;

/// What of a memory is to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct MemoryChange {
    /// The new text, with its embedding if that is made already: one vector a window.
    pub text: Option<(MemoryText, Vec<Vector>)>,
    /// The new permission.
    pub permission: Option<Permission>,
    /// The new list of people and groups.
    pub shared_with: Option<SharedWith>,
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
            && self.shared_with.is_none()
            && self.tags.is_none()
            && self.category.is_none()
            && self.expiration_date.is_none()
    }
}

/// The row that is changed, as it was before.
struct Before {
    version: i64,
    ciphertext: String,
    text_version: i64,
    permission: String,
}

impl Store {
    /// Changes a memory of its owner and gives it back, with the permission that it had; without, when the call had been
    /// made before and nothing was changed. Text, words and vectors change together.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the owner has no such memory, [`Error::VersionMismatch`]; [`Error::Invalid`] for a group
    /// that the owner is not in; [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn update_memory(
        &self,
        writer: Writer<'_>,
        id: MemoryId,
        change: &MemoryChange,
    ) -> Result<(Memory, Option<Permission>), Error> {
        let owner = writer.owner;
        let key = self.data_key(owner).await?.ok_or(Error::NotFound)?;
        let open_words = self.open_words().await?;
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = writer.once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok((before, None));
        }
        let before = lock(&mut transaction, owner, id).await?;
        if change.expected_version.is_some_and(|expected| expected != before.version) {
            return Err(Error::VersionMismatch { current: before.version });
        }
        keep_version(&mut transaction, owner, id).await?;
        self.write_row(&mut transaction, writer, id, &key, before.version + 1, change).await?;
        let mut hasher = WordHasher::new(&key, open_words, true);
        self.write_words(&mut transaction, owner, id, &key, &before, change, &mut hasher).await?;
        write_vectors(&mut transaction, writer, id, change).await?;
        match &change.shared_with {
            Some(shared_with) => replace_shares(&mut transaction, owner, id, shared_with).await?,
            // The list that stayed may name groups that the owner has left meanwhile: nobody shares into those.
            None if change.permission == Some(Permission::Shared) => drop_foreign_groups(&mut transaction, owner, id).await?,
            None => {}
        }
        let memory = self.read_in(&mut transaction, owner, id).await?;
        if let Some(once) = writer.once {
            self.remember(&mut transaction, owner, &key, once, &memory).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok((memory, Permission::from_word(&before.permission)))
    }

    async fn write_row(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        writer: Writer<'_>,
        id: MemoryId,
        key: &DataKey,
        version: i64,
        change: &MemoryChange,
    ) -> Result<(), Error> {
        let tags = change.tags.as_ref().map(Tags::to_words);
        let seal = |text: &MemoryText| seal_text(key, &binding(id.0, writer.owner.0, version), text.as_str(), self.now());
        sqlx::query!(
            "UPDATE memories SET
                 version = $2,
                 ciphertext = coalesce($3, ciphertext),
                 text_version = CASE WHEN $3::text IS NULL THEN text_version ELSE $2 END,
                 permission = coalesce($4, permission),
                 tags = coalesce($5, tags),
                 category = CASE WHEN $6 THEN $7 ELSE category END,
                 expiration_date = CASE WHEN $8 THEN $9 ELSE expiration_date END,
                 client_id = $10,
                 updated_at = $11,
                 changed_in = pg_current_xact_id()
             WHERE id = $1 AND user_id = $12",
            id.0,
            version,
            change.text.as_ref().map(|(text, _)| seal(text)),
            change.permission.map(Permission::as_str),
            tags.as_deref(),
            change.category.is_some(),
            change.category.as_ref().and_then(|category| category.as_ref().map(Category::as_str)),
            change.expiration_date.is_some(),
            change.expiration_date.flatten().map(Timestamp::as_offset_date_time),
            writer.client.map(|client| client.0),
            self.clock.now().as_offset_date_time(),
            writer.owner.0,
        )
        .execute(&mut **transaction)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// A new text has new words; a permission that opens or closes the memory brings or takes those that others search.
    #[expect(clippy::too_many_arguments, reason = "the parts of one transaction")]
    async fn write_words(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        owner: UserId,
        id: MemoryId,
        key: &DataKey,
        before: &Before,
        change: &MemoryChange,
        hasher: &mut WordHasher,
    ) -> Result<(), Error> {
        let was_open = Permission::from_word(&before.permission).is_some_and(Permission::is_open);
        let is_open = change.permission.map_or(was_open, Permission::is_open);
        if change.text.is_none() && was_open == is_open {
            return Ok(());
        }
        let old_text;
        let text = match &change.text {
            Some((text, _)) => text.as_str(),
            None => {
                let binding = binding(id.0, owner.0, before.text_version);
                old_text = open_text(key, &binding, &before.ciphertext).map_err(Error::internal)?;
                &old_text
            }
        };
        let hashed = hasher.hash(text, is_open);
        sqlx::query!(
            "INSERT INTO memory_words (memory_id, user_id, length, words, counts, open_words) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT ON CONSTRAINT memory_words_pkey DO UPDATE SET
                 length = EXCLUDED.length, words = EXCLUDED.words, counts = EXCLUDED.counts, open_words = EXCLUDED.open_words",
            id.0,
            owner.0,
            hashed.length,
            &hashed.words,
            &hashed.counts,
            hashed.open_words.as_deref(),
        )
        .execute(&mut **transaction)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Reads a memory of its owner inside the transaction that changes it.
    async fn read_in(&self, transaction: &mut Transaction<'_, Postgres>, owner: UserId, id: MemoryId) -> Result<Memory, Error> {
        let mut query = select_memories(Some(owner));
        query.push("m.id = ").push_bind(id.0).push(" AND m.user_id = ").push_bind(owner.0);
        let row: MemoryRow = query.build_query_as().fetch_one(&mut **transaction).await.map_err(storage_error)?;
        let mut memory = Decryptor::new(self).open(row, owner)?;
        let mut lists = shares_of(&mut **transaction, owner, &[id.0]).await?;
        memory.shared_with = Some(lists.remove(&id).unwrap_or_default());
        Ok(memory)
    }

    /// Deletes a memory of its owner for good, with embedding, words and history, and tells which permission it had;
    /// nothing, when the call had been made before.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn delete_memory(
        &self,
        owner: UserId,
        id: MemoryId,
        once: Option<&Once>,
    ) -> Result<(Deleted, Option<Permission>), Error> {
        let deleted = Deleted { id, deleted: true, message: "The memory was deleted.".to_owned() };
        let key = self.data_key(owner).await?.ok_or(Error::NotFound)?;
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok((before, None));
        }
        let gone = sqlx::query_scalar!("DELETE FROM memories WHERE id = $1 AND user_id = $2 RETURNING permission", id.0, owner.0)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(storage_error)?;
        let permission = gone.ok_or(Error::NotFound)?;
        if let Some(once) = once {
            self.remember(&mut transaction, owner, &key, once, &deleted).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok((deleted, Permission::from_word(&permission)))
    }
}

async fn lock(transaction: &mut Transaction<'_, Postgres>, owner: UserId, id: MemoryId) -> Result<Before, Error> {
    sqlx::query_as!(
        Before,
        "SELECT version, ciphertext, text_version, permission FROM memories WHERE id = $1 AND user_id = $2 FOR UPDATE",
        id.0,
        owner.0,
    )
    .fetch_optional(&mut **transaction)
    .await
    .map_err(storage_error)?
    .ok_or(Error::NotFound)
}

async fn keep_version(transaction: &mut Transaction<'_, Postgres>, owner: UserId, id: MemoryId) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO memory_versions (memory_id, user_id, version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, changed_at)
         SELECT id, user_id, version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, updated_at
         FROM memories WHERE id = $1 AND user_id = $2",
        id.0,
        owner.0,
    )
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

/// The vectors of a text that has been replaced go; new ones come with the text or are asked for.
async fn write_vectors(
    transaction: &mut Transaction<'_, Postgres>,
    writer: Writer<'_>,
    id: MemoryId,
    change: &MemoryChange,
) -> Result<(), Error> {
    let Some((_, windows)) = &change.text else {
        let Some(permission) = change.permission else {
            return Ok(());
        };
        return sqlx::query!(
            "UPDATE memory_embeddings SET is_public = $2 WHERE memory_id = $1 AND user_id = $3 AND is_public <> $2",
            id.0,
            permission == Permission::Public,
            writer.owner.0,
        )
        .execute(&mut **transaction)
        .await
        .map(|_| ())
        .map_err(storage_error);
    };
    let vectors: Vec<HalfVector> = windows.iter().map(|vector| HalfVector::from_f32_slice(vector.as_slice())).collect();
    sqlx::query!("DELETE FROM memory_embeddings WHERE memory_id = $1 AND user_id = $2", id.0, writer.owner.0)
        .execute(&mut **transaction)
        .await
        .map_err(storage_error)?;
    if vectors.is_empty() {
        return ask_for_embedding(transaction, writer.owner, id).await;
    }
    sqlx::query!(
        "WITH done AS (DELETE FROM embedding_jobs WHERE memory_id = $1 AND user_id = $2)
         INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding, bits, is_public)
         SELECT $1, $2, $3, w.position - 1, w.embedding, CASE WHEN vector_dims(w.embedding) > 512 THEN binary_quantize(w.embedding) END,
                (SELECT m.permission = 'public' FROM memories m WHERE m.id = $1 AND m.user_id = $2)
         FROM unnest($4::halfvec[]) WITH ORDINALITY AS w (embedding, position)",
        id.0,
        writer.owner.0,
        writer.model,
        &vectors as _,
    )
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

async fn ask_for_embedding(transaction: &mut Transaction<'_, Postgres>, owner: UserId, id: MemoryId) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO embedding_jobs (memory_id, user_id, run_after) VALUES ($1, $2, now())
         ON CONFLICT ON CONSTRAINT embedding_jobs_pkey DO UPDATE SET run_after = EXCLUDED.run_after, attempts = 0, failed_at = NULL, last_error = NULL",
        id.0,
        owner.0,
    )
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(storage_error)
}
