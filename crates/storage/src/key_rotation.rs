//! A new master key: everything that the key ring wraps is wrapped anew, row by row, while servers run. Texts are not
//! touched: their keys stay the same.

use picard_crypto::KeyRing;
use picard_domain::Error;
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// How many people's keys one transaction wraps anew.
const BATCH: i64 = 500;

/// Keys that the ring does not have, and how many people's data keys need each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// The missing key's public name.
    pub fingerprint: String,
    /// How many people's texts cannot be read without it.
    pub people: i64,
}

impl Store {
    /// Wraps the next people's data keys with the newest key; answers how many, 0 at the end. Stopping at any point
    /// loses nothing, and several may work at once.
    ///
    /// # Errors
    /// [`Error::Internal`] when no key of the ring opens a data key; as every statement.
    pub async fn rotate_data_keys(&self) -> Result<usize, Error> {
        let newest = newest(&self.keys);
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let rows = sqlx::query!(
            "SELECT id, data_key FROM users WHERE key_fingerprint IS DISTINCT FROM $1 LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
            newest,
            BATCH,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let wrapped: Vec<String> =
            rows.iter().map(|row| self.keys.rotate(&row.data_key)).collect::<Result<_, _>>().map_err(Error::internal)?;
        sqlx::query!(
            "UPDATE users u SET data_key = r.data_key, key_fingerprint = $3
             FROM unnest($1::uuid[], $2::text[]) AS r (id, data_key) WHERE u.id = r.id",
            &ids,
            &wrapped,
            newest,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(ids.len())
    }

    /// Wraps the deployment's own keys with the newest key; answers how many were not yet.
    ///
    /// # Errors
    /// [`Error::Internal`] when no key of the ring opens one; as every statement.
    pub async fn rotate_deployment_keys(&self) -> Result<usize, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let mut count = 0;
        let signing = sqlx::query!("SELECT kid, private_key FROM signing_keys FOR UPDATE")
            .fetch_all(&mut *transaction)
            .await
            .map_err(storage_error)?;
        for row in signing.iter().filter(|row| !self.keys.is_newest(&row.private_key)) {
            let wrapped = self.keys.rotate(&row.private_key).map_err(Error::internal)?;
            sqlx::query!("UPDATE signing_keys SET private_key = $2 WHERE kid = $1", row.kid, wrapped)
                .execute(&mut *transaction)
                .await
                .map_err(storage_error)?;
            count += 1;
        }
        let own = sqlx::query!("SELECT name, wrapped_key FROM deployment_keys FOR UPDATE")
            .fetch_all(&mut *transaction)
            .await
            .map_err(storage_error)?;
        for row in own.iter().filter(|row| !self.keys.is_newest(&row.wrapped_key)) {
            let wrapped = self.keys.rotate(&row.wrapped_key).map_err(Error::internal)?;
            sqlx::query!("UPDATE deployment_keys SET wrapped_key = $2 WHERE name = $1", row.name, wrapped)
                .execute(&mut *transaction)
                .await
                .map_err(storage_error)?;
            count += 1;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(count)
    }

    /// How many people's data keys are not wrapped with the newest key yet.
    ///
    /// # Errors
    /// As every statement.
    pub async fn data_keys_to_rotate(&self) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM users WHERE key_fingerprint IS DISTINCT FROM $1"#,
            newest(&self.keys),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// The keys that people's data keys need and the ring does not have (ENC-06).
    ///
    /// # Errors
    /// As every statement.
    pub async fn missing_keys(&self) -> Result<Vec<MissingKey>, Error> {
        let known = self.keys.fingerprints();
        sqlx::query_as!(
            MissingKey,
            r#"SELECT key_fingerprint AS "fingerprint!", count(*) AS "people!" FROM users
               WHERE key_fingerprint IS NOT NULL AND key_fingerprint <> ALL ($1) GROUP BY 1 ORDER BY 2 DESC"#,
            &known,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)
    }
}

fn newest(keys: &KeyRing) -> String {
    keys.newest().fingerprint()
}
