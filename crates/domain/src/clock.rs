//! The time, given instead of taken, so that tests can set it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::Timestamp;

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the system clock is read")]
    pub fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that shows what the function answers.
    pub fn from_fn(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)().into()
    }

    /// The present in whole seconds since 1970; a clock set before that counts as 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        u64::try_from(self.now().unix_seconds()).unwrap_or(0)
    }

    /// The moment that lies the given span ahead.
    #[must_use]
    pub fn after(&self, span: Duration) -> Timestamp {
        (self.now().as_offset_date_time() + span).into()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
