//! Storing memories, one or many, in one statement.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use pgvector::HalfVector;
use picard_crypto::{DataKey, seal_text};
use picard_domain::commands::Once;
use picard_domain::memory::{Category, EmbeddingStatus, SharedWith, Tags};
use picard_domain::{ClientId, Error, Memory, MemoryId, MemoryText, Permission, Timestamp, UserId, Vector};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::error::DatabaseError;
use sqlx::{PgExecutor, Postgres, Transaction};
use uuid::Uuid;

use super::binding;
use super::shares::{ShareRows, insert_shares};
use super::words::{HashedWords, WordHasher};
use crate::Store;
use crate::error::storage_error;

/// A thread of its own is worth it for no fewer memories than this.
const FEW: usize = 100;

/// A memory to be stored.
#[derive(Debug, Clone)]
pub struct NewMemory {
    /// The memory.
    pub id: MemoryId,
    /// What is remembered.
    pub text: MemoryText,
    /// Who may see it.
    pub permission: Permission,
    /// The people and groups who may while it is shared.
    pub shared_with: SharedWith,
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
    /// Its embedding, one vector a window; empty: still to be made.
    pub windows: Vec<Vector>,
}

/// Who stores, and with which model the embeddings were made.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The owner of what is stored.
    pub owner: UserId,
    /// The client that acts for them.
    pub client: Option<ClientId>,
    /// The name of the embedding model.
    pub model: &'a str,
    /// Makes the call count once.
    pub once: Option<&'a Once>,
}

impl Store {
    /// Stores memories of one person, all of them or none, and answers what `answer` makes of them; what has no
    /// embedding yet gets a job.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such owner (any more); [`Error::Invalid`] for a group that the owner is not
    /// in; [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn create_memories<T: Serialize + DeserializeOwned>(
        &self,
        writer: Writer<'_>,
        memories: &[NewMemory],
        answer: impl FnOnce(Vec<Memory>) -> T,
    ) -> Result<T, Error> {
        let key = self.known_key(writer.owner).await?;
        let rows = Rows::new(self, &key, writer.owner, memories).await?;
        let now = self.clock.now();
        let made = memories.iter().map(|new| stored(writer.owner, new, now)).collect();
        if writer.once.is_none() && !rows.has_shares() {
            // One statement is a transaction by itself.
            self.unless_gone(writer.owner, rows.insert(&self.pool, writer).await)?;
            return Ok(answer(made));
        }
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = writer.once
            && let Some(before) = self.claim(&mut transaction, writer.owner, &key, once).await?
        {
            return Ok(before);
        }
        self.unless_gone(writer.owner, rows.insert(&mut *transaction, writer).await)?;
        insert_shares(&mut transaction, writer.owner, &rows.people, &rows.groups).await?;
        let answer = answer(made);
        if let Some(once) = writer.once {
            self.remember(&mut transaction, writer.owner, &key, once, &answer).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(answer)
    }
}

impl Store {
    /// Rows of an account that is gone are refused by the database.
    fn unless_gone(&self, owner: UserId, inserted: Result<(), sqlx::Error>) -> Result<(), Error> {
        let is_gone = |error: &sqlx::Error| error.as_database_error().is_some_and(DatabaseError::is_foreign_key_violation);
        inserted.map_err(|error| {
            if is_gone(&error) {
                self.known_keys.forget(owner);
                return Error::NotFound;
            }
            storage_error(error)
        })
    }

    /// Stores memories of one person as part of a transaction.
    pub(crate) async fn insert_memories(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        writer: Writer<'_>,
        memories: &[NewMemory],
    ) -> Result<(), Error> {
        if memories.is_empty() {
            return Ok(());
        }
        let key = self.data_key(writer.owner).await?.ok_or(Error::NotFound)?;
        let rows = Rows::new(self, &key, writer.owner, memories).await?;
        self.unless_gone(writer.owner, rows.insert(&mut **transaction, writer).await)?;
        insert_shares(transaction, writer.owner, &rows.people, &rows.groups).await
    }

    /// Which of these memories the person owns.
    ///
    /// # Errors
    /// As every statement.
    pub async fn own_memories(&self, owner: UserId, ids: &[MemoryId]) -> Result<Vec<MemoryId>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query_scalar!("SELECT id FROM memories WHERE user_id = $1 AND id = ANY ($2)", owner.0, &ids)
            .fetch_all(&self.pool)
            .await
            .map(|ids| ids.into_iter().map(MemoryId).collect())
            .map_err(storage_error)
    }
}

/// What is stored, column by column; what a row has several of stands in one list, and the row says where its part ends.
#[derive(Default)]
struct Rows {
    ids: Vec<Uuid>,
    ciphertexts: Vec<String>,
    permissions: Vec<&'static str>,
    categories: Vec<Option<String>>,
    expiration_dates: Vec<Option<time::OffsetDateTime>>,
    created_at: Vec<time::OffsetDateTime>,
    updated_at: Vec<time::OffsetDateTime>,
    is_embedded: Vec<bool>,
    tags: Vec<String>,
    tags_end: Vec<i32>,
    lengths: Vec<i32>,
    words: Vec<i64>,
    counts: Vec<i16>,
    words_end: Vec<i32>,
    open_words: Vec<i64>,
    open_words_end: Vec<i32>,
    vectors: Vectors,
    people: ShareRows,
    groups: ShareRows,
}

#[derive(Default)]
struct Vectors {
    memories: Vec<Uuid>,
    positions: Vec<i16>,
    embeddings: Vec<HalfVector>,
    is_public: Vec<bool>,
}

/// Works on a long list on all processors; the results are in the list's order.
fn in_parallel<T: Sync, R: Send>(list: &[T], work: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(list.len() / FEW).max(1);
    if threads == 1 {
        return work(list);
    }
    thread::scope(|scope| {
        let parts: Vec<_> = list.chunks(list.len().div_ceil(threads)).map(|part| scope.spawn(|| work(part))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("the work does not panic")).collect()
    })
}

fn end<T>(list: &[T]) -> i32 {
    i32::try_from(list.len()).unwrap_or(i32::MAX)
}

impl Rows {
    async fn new(store: &Store, key: &DataKey, owner: UserId, memories: &[NewMemory]) -> Result<Self, Error> {
        let open = store.open_words().await?;
        let is_open = memories.iter().any(|new| new.permission.is_open());
        let seal = |memories: &[NewMemory]| {
            let mut hasher = WordHasher::new(key, Arc::clone(&open), is_open);
            let seal = |new: &NewMemory| {
                let ciphertext = seal_text(key, &binding(new.id.0, owner.0, 1), new.text.as_str(), store.now());
                (ciphertext, hasher.hash(new.text.as_str(), new.permission.is_open()))
            };
            memories.iter().map(seal).collect::<Vec<_>>()
        };
        let mut rows = Self::default();
        for (new, (ciphertext, hashed)) in memories.iter().zip(in_parallel(memories, seal)) {
            rows.push(new, ciphertext, hashed);
        }
        Ok(rows)
    }

    fn push(&mut self, new: &NewMemory, ciphertext: String, hashed: HashedWords) {
        self.ids.push(new.id.0);
        self.ciphertexts.push(ciphertext);
        self.permissions.push(new.permission.as_str());
        self.categories.push(new.category.as_ref().map(|category| category.as_str().to_owned()));
        self.expiration_dates.push(new.expiration_date.map(Timestamp::as_offset_date_time));
        self.created_at.push(new.created_at.as_offset_date_time());
        self.updated_at.push(new.updated_at.as_offset_date_time());
        self.is_embedded.push(!new.windows.is_empty());
        self.tags.extend(new.tags.to_words());
        self.tags_end.push(end(&self.tags));
        self.lengths.push(hashed.length);
        self.words.extend(hashed.words);
        self.counts.extend(hashed.counts);
        self.words_end.push(end(&self.words));
        self.open_words.extend(hashed.open_words.unwrap_or_default());
        self.open_words_end.push(end(&self.open_words));
        for (position, window) in (0..).zip(&new.windows) {
            self.vectors.memories.push(new.id.0);
            self.vectors.positions.push(position);
            self.vectors.embeddings.push(HalfVector::from_f32_slice(window.as_slice()));
            self.vectors.is_public.push(new.permission == Permission::Public);
        }
        self.people.push(new.id, new.shared_with.users.iter().map(|person| person.0));
        self.groups.push(new.id, new.shared_with.groups.iter().map(|group| group.0));
    }

    fn has_shares(&self) -> bool {
        !(self.people.is_empty() && self.groups.is_empty())
    }

    /// Inserts everything but the shares; text, words, vectors and jobs always belong together.
    async fn insert(&self, database: impl PgExecutor<'_>, writer: Writer<'_>) -> Result<(), sqlx::Error> {
        let permissions: Vec<String> = self.permissions.iter().map(|&word| word.to_owned()).collect();
        sqlx::query!(
            r#"WITH input AS (
                 SELECT i.*, coalesce(lag(i.tags_end) OVER w, 0) AS tags_start, coalesce(lag(i.words_end) OVER w, 0) AS words_start,
                        coalesce(lag(i.open_words_end) OVER w, 0) AS open_words_start
                 FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[],
                             $10::bool[], $11::int[], $12::int[], $13::int[], $14::int[]) WITH ORDINALITY
                      AS i (id, ciphertext, permission, category, expiration_date, created_at, updated_at,
                            is_embedded, tags_end, length, words_end, open_words_end, number)
                 WINDOW w AS (ORDER BY i.number)
             ), m AS (
                 INSERT INTO memories (id, user_id, client_id, ciphertext, permission, tags, category, expiration_date, created_at, updated_at)
                 SELECT id, $1, $2, ciphertext, permission, ($15::text[])[tags_start + 1:tags_end], category, expiration_date, created_at, updated_at
                 FROM input
             ), w AS (
                 INSERT INTO memory_words (memory_id, user_id, length, words, counts, open_words)
                 SELECT id, $1, length, ($16::bigint[])[words_start + 1:words_end], ($17::smallint[])[words_start + 1:words_end],
                        CASE WHEN permission <> 'private' THEN ($18::bigint[])[open_words_start + 1:open_words_end] END
                 FROM input
             ), e AS (
                 INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding, bits, is_public)
                 SELECT v.id, $1, $19, v.position, v.embedding,
                        CASE WHEN vector_dims(v.embedding) > 512 THEN binary_quantize(v.embedding) END, v.is_public
                 FROM unnest($20::uuid[], $21::smallint[], $22::halfvec[], $23::bool[]) AS v (id, position, embedding, is_public)
             )
             INSERT INTO embedding_jobs (memory_id, user_id) SELECT id, $1 FROM input WHERE NOT is_embedded"#,
            writer.owner.0,
            writer.client.map(|client| client.0),
            &self.ids,
            &self.ciphertexts,
            &permissions,
            &self.categories as _,
            &self.expiration_dates as _,
            &self.created_at,
            &self.updated_at,
            &self.is_embedded,
            &self.tags_end,
            &self.lengths,
            &self.words_end,
            &self.open_words_end,
            &self.tags,
            &self.words,
            &self.counts,
            &self.open_words,
            writer.model,
            &self.vectors.memories,
            &self.vectors.positions,
            &self.vectors.embeddings as _,
            &self.vectors.is_public,
        )
        .execute(database)
        .await
        .map(|_| ())
    }
}

fn stored(owner: UserId, new: &NewMemory, now: Timestamp) -> Memory {
    Memory {
        id: new.id,
        user_id: owner,
        text: new.text.as_str().to_owned(),
        permission: new.permission,
        tags: new.tags.to_words(),
        category: new.category.clone().map(String::from),
        shared_with: Some(new.shared_with.clone()),
        expiration_date: new.expiration_date,
        is_expired: new.expiration_date.is_some_and(|moment| moment <= now),
        version: 1,
        embedding_status: if new.windows.is_empty() { EmbeddingStatus::Pending } else { EmbeddingStatus::Ready },
        created_at: new.created_at,
        updated_at: new.updated_at,
    }
}
