//! The one place where the program asks what time it is.

use time::OffsetDateTime;

/// The current time in UTC.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Seconds since the epoch, as Fernet tokens carry them.
pub(crate) fn now_unix() -> u64 {
    now().unix_timestamp().unsigned_abs()
}
