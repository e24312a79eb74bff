//! The keys that sign access tokens. Private halves are encrypted with the key ring.

use picard_domain::{Error, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::error::storage_error;

/// A signing key.
pub struct StoredSigningKey {
    /// Its name in tokens and in the JWK set.
    pub kid: String,
    /// The public JSON Web Key.
    pub public_jwk: Value,
    /// The private key as PKCS#8, while this key still signs.
    pub private_key: Vec<u8>,
}

/// Keeps two replicas that start at once from making a key each.
const FIRST_KEY_LOCK: i64 = 0x7069_6361_7264_0001;

impl Store {
    /// All keys that verify, newest first; the first one signs.
    ///
    /// # Errors
    /// As every statement, and [`Error::Internal`] when no key of the ring opens a private key.
    pub async fn signing_keys(&self) -> Result<Vec<StoredSigningKey>, Error> {
        let rows = sqlx::query!(
            "SELECT kid, public_jwk, private_key FROM signing_keys
             WHERE verifies_until IS NULL OR verifies_until > now() ORDER BY verifies_until IS NULL DESC, created_at DESC",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        rows.into_iter()
            .map(|row| {
                let private_key = self.keys.decrypt(&row.private_key).map_err(Error::internal)?;
                Ok(StoredSigningKey { kid: row.kid, public_jwk: row.public_jwk, private_key })
            })
            .collect()
    }

    /// Stores a key unless there is one already.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_first_signing_key(&self, key: &StoredSigningKey) -> Result<(), Error> {
        let private_key = self.keys.encrypt(&key.private_key, self.now());
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", FIRST_KEY_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
        sqlx::query!(
            "INSERT INTO signing_keys (kid, public_jwk, private_key) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)",
            key.kid,
            key.public_jwk,
            private_key,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)
    }

    /// Stores the key that signs from now on. The one before only verifies, for as long as given, and is then deleted.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rotate_signing_key(&self, new: &StoredSigningKey, old_verifies_until: Timestamp) -> Result<(), Error> {
        let private_key = self.keys.encrypt(&new.private_key, self.now());
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", FIRST_KEY_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
        sqlx::query!(
            "UPDATE signing_keys SET verifies_until = $1 WHERE verifies_until IS NULL",
            old_verifies_until.as_offset_date_time(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        sqlx::query!(
            "INSERT INTO signing_keys (kid, public_jwk, private_key) VALUES ($1, $2, $3)",
            new.kid,
            new.public_jwk,
            private_key,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)
    }
}
