//! Work that may not last for ever. A connection to the database whose bytes nobody takes never says so (FLT-06).

use std::time::Duration;

use picard_domain::Error;

/// The longest that a look at one row, or a note of one, may take.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The longest that a call may take; what it has begun is dropped then, and its transaction with it (FLT-05).
pub(crate) const LONGEST_CALL: Duration = Duration::from_secs(10);
/// The same for up to a thousand memories at once.
pub(crate) const LONGEST_BATCH: Duration = Duration::from_secs(30);

/// What comes out, or that the database is away when nothing does in time.
///
/// # Errors
/// Those of the work, and [`Error::Unavailable`].
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(Error::unavailable("The database", elapsed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_end_is_given_up_flt_06() {
        let never = within::<()>(Duration::from_millis(10), std::future::pending()).await;
        let at_once = within(Duration::from_secs(10), async { Ok(7) }).await;

        assert!(matches!(never, Err(Error::Unavailable { .. })), "FLT-06");
        assert_eq!(at_once.ok(), Some(7));
    }
}
