//! Counters of requests and of failed tries, kept in the database so that limits hold across replicas.
//! A window begins with the first count and has a fixed length.

use std::time::Duration;

use picard_domain::Error;

use crate::Store;
use crate::error::storage_error;

/// What a counter says.
#[derive(Debug, Clone, Copy)]
pub struct CountWithin {
    /// How often it has been counted in this window.
    pub count: i32,
    /// How long the window still is.
    pub left: Duration,
}

impl CountWithin {
    /// Whether that is not more than is allowed.
    ///
    /// # Errors
    /// How long to wait, in whole seconds.
    pub fn check(self, most: i32) -> Result<(), Duration> {
        if self.count <= most {
            return Ok(());
        }
        Err(Duration::from_secs_f64(self.left.as_secs_f64().max(1.0).ceil()))
    }
}

impl Store {
    /// Counts so many for this subject (a hash of what is counted, for whom and from where).
    ///
    /// # Errors
    /// As every statement.
    pub async fn count_within(&self, subject: &[u8; 32], by: i32, window: Duration) -> Result<CountWithin, Error> {
        let row = sqlx::query!(
            r#"INSERT INTO rate_limits AS l (subject, count, window_start, window_end)
               VALUES ($1, $2, now(), now() + make_interval(secs => $3))
               ON CONFLICT (subject) DO UPDATE SET
                   count = CASE WHEN l.window_end > now() THEN least(l.count, 1000000000) + $2 ELSE $2 END,
                   window_start = CASE WHEN l.window_end > now() THEN l.window_start ELSE now() END,
                   window_end = CASE WHEN l.window_end > now() THEN l.window_end ELSE now() + make_interval(secs => $3) END
               RETURNING count, extract(epoch FROM window_end - now())::float8 AS "left!""#,
            subject.as_slice(),
            by,
            window.as_secs_f64(),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        let left = Duration::from_secs_f64(row.left.clamp(0.0, window.as_secs_f64()));
        Ok(CountWithin { count: row.count, left })
    }

    /// Takes a count back, because what was counted did not happen.
    ///
    /// # Errors
    /// As every statement.
    pub async fn give_back(&self, subject: &[u8; 32]) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE rate_limits SET count = greatest(count - 1, 0) WHERE subject = $1 AND window_end > now()",
            subject.as_slice(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// How long one of these subjects has to wait because it has been counted `most` times; `None`: none has to. Counts
    /// nothing.
    ///
    /// # Errors
    /// As every statement.
    pub async fn wait_of(&self, subject: &[u8; 32], most: i32) -> Result<Option<Duration>, Error> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM window_end - now())::float8 AS "seconds!"
               FROM rate_limits WHERE subject = $1 AND count >= $2 AND window_end > now()"#,
            subject.as_slice(),
            most,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(seconds.map(|seconds| wait(seconds, Duration::from_secs(3_600))))
    }
}

fn wait(seconds: f64, longest: Duration) -> Duration {
    Duration::from_secs_f64(seconds.clamp(1.0, longest.as_secs_f64().max(1.0)).ceil())
}
