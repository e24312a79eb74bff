//! Failed tries to sign in, counted in the database so that the limit holds across replicas.

use std::time::Duration;

use picard_domain::Error;

use crate::Store;
use crate::error::storage_error;

impl Store {
    /// How long this subject (a hash of account and address) has to wait; `None`: not at all. A window is one
    /// minute and begins with the first failure.
    ///
    /// # Errors
    /// As every statement.
    pub async fn sign_in_wait(&self, subject: &[u8; 32], most: i32) -> Result<Option<Duration>, Error> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM window_start + interval '1 minute' - now())::float8 AS "seconds!"
               FROM sign_in_failures WHERE subject = $1 AND count >= $2 AND window_start > now() - interval '1 minute'"#,
            subject.as_slice(),
            most,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.clamp(1.0, 60.0).ceil())))
    }

    /// Counts a failed try.
    ///
    /// # Errors
    /// As every statement.
    pub async fn count_sign_in_failure(&self, subject: &[u8; 32]) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO sign_in_failures AS f (subject, count, window_start) VALUES ($1, 1, now())
             ON CONFLICT (subject) DO UPDATE SET
                 count = CASE WHEN f.window_start > now() - interval '1 minute' THEN f.count + 1 ELSE 1 END,
                 window_start = CASE WHEN f.window_start > now() - interval '1 minute' THEN f.window_start ELSE now() END",
            subject.as_slice(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }
}
