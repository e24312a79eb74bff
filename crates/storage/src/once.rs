//! Calls that count once (idempotency keys). The key is taken in the transaction that does the work, so a second call
//! waits for the first and then gets its answer; a call that fails uses no key up.

use picard_crypto::{DataKey, KeyedHash, TextBinding, hash_token, open_text, seal_text};
use picard_domain::commands::Once;
use picard_domain::{Error, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Postgres, Transaction};

use crate::Store;
use crate::error::storage_error;

struct Remembered {
    request_hash: Vec<u8>,
    answer: Option<String>,
}

impl Store {
    /// The answer that this call got before; `None` when it is new.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`] when the key was used for another call; as every statement.
    pub async fn remembered<T: DeserializeOwned>(&self, person: UserId, once: &Once) -> Result<Option<T>, Error> {
        let Some(key) = self.data_key(person).await? else {
            return Ok(None);
        };
        let found = sqlx::query_as!(
            Remembered,
            "SELECT request_hash, answer FROM idempotency_keys
             WHERE user_id = $1 AND key_hash = $2 AND created_at >= now() - interval '24 hours'",
            person.0,
            &hash_token(once.key.as_str()),
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        found.map(|found| answer(person, &key, once, found)).transpose().map(Option::flatten)
    }

    /// Takes the key for this transaction, or gives the answer of the call that had it.
    pub(crate) async fn claim<T: DeserializeOwned>(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        person: UserId,
        key: &DataKey,
        once: &Once,
    ) -> Result<Option<T>, Error> {
        let key_hash = hash_token(once.key.as_str());
        let taken = sqlx::query_scalar!(
            r#"INSERT INTO idempotency_keys (user_id, key_hash, request_hash, created_at) VALUES ($1, $2, $3, now())
               ON CONFLICT (user_id, key_hash) DO UPDATE SET request_hash = EXCLUDED.request_hash, answer = NULL, created_at = EXCLUDED.created_at
                   WHERE EXCLUDED.created_at - idempotency_keys.created_at > interval '24 hours'
               RETURNING true AS "taken!""#,
            person.0,
            &key_hash,
            &request_hash(key, once),
        )
        .fetch_optional(&mut **transaction)
        .await
        .map_err(storage_error)?;
        if taken.is_some() {
            return Ok(None);
        }
        let found = sqlx::query_as!(
            Remembered,
            "SELECT request_hash, answer FROM idempotency_keys WHERE user_id = $1 AND key_hash = $2",
            person.0,
            &key_hash,
        )
        .fetch_one(&mut **transaction)
        .await
        .map_err(storage_error)?;
        answer(person, key, once, found)
    }

    /// Keeps the answer for the next call with the same key.
    pub(crate) async fn remember<T: Serialize>(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        person: UserId,
        key: &DataKey,
        once: &Once,
        answer: &T,
    ) -> Result<(), Error> {
        let json = serde_json::to_string(answer).map_err(Error::internal)?;
        sqlx::query!(
            "UPDATE idempotency_keys SET answer = $3 WHERE user_id = $1 AND key_hash = $2",
            person.0,
            &hash_token(once.key.as_str()),
            seal_text(key, &binding(person, once), &json, self.now()),
        )
        .execute(&mut **transaction)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }
}

fn answer<T: DeserializeOwned>(person: UserId, key: &DataKey, once: &Once, found: Remembered) -> Result<Option<T>, Error> {
    if found.request_hash != request_hash(key, once) {
        return Err(Error::IdempotencyMismatch);
    }
    let Some(sealed) = found.answer else {
        return Ok(None);
    };
    let json = open_text(key, &binding(person, once), &sealed).map_err(Error::internal)?;
    serde_json::from_str(&json).map(Some).map_err(Error::internal)
}

/// Under the person's key: a plain hash of a short text could be guessed.
fn request_hash(key: &DataKey, once: &Once) -> [u8; 32] {
    KeyedHash::derive(key, "idempotency").digest(once.request.as_bytes())
}

/// Answers are bound to their key, and never taken for a memory's text: those have versions from 1.
fn binding(person: UserId, once: &Once) -> TextBinding {
    let hash = hash_token(once.key.as_str());
    TextBinding { memory_id: *hash.first_chunk().expect("32 bytes begin with 16"), owner_id: *person.0.as_bytes(), version: 0 }
}
