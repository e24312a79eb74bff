//! A provider that is away is asked now and then, not by everyone all the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::LlmError;

/// Failures in a row that open it.
const LIMIT: u32 = 5;
/// How long it stays open before one request may try.
const PAUSE: Duration = Duration::from_secs(5);

/// Closed until [`LIMIT`] failures in a row; then open, with one request let through a pause.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Lets the request pass, or says how long to wait.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), LlmError> {
        let mut state = self.state();
        match state.open_until {
            Some(until) if now < until => Err(LlmError::Unavailable {
                retry_after: Some(until - now),
                reason: format!("it failed {} times in a row", state.failures),
            }),
            Some(_) => {
                // This one tries; if it is never heard of again, another may after the next pause.
                state.open_until = Some(now + PAUSE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Learns from an outcome. A rejection is an answer: the provider is there.
    pub(crate) fn record(&self, failure: Option<&LlmError>, now: Instant) {
        let mut state = self.state();
        if matches!(failure, None | Some(LlmError::Rejected(_))) {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= LIMIT {
            state.open_until = Some(now + PAUSE);
        }
    }

    /// Whether it has failed several times in a row.
    pub(crate) fn is_open(&self) -> bool {
        self.state().open_until.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_five_failures_only_one_tries_until_it_succeeds() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let failure = LlmError::unavailable("away");
        for _ in 0..LIMIT {
            assert!(breaker.admit(start).is_ok());
            breaker.record(Some(&failure), start);
        }
        assert!(matches!(breaker.admit(start), Err(LlmError::Unavailable { retry_after: Some(PAUSE), .. })));
        let later = start + PAUSE;
        assert!(breaker.admit(later).is_ok() && breaker.admit(later).is_err() && breaker.is_open(), "one tries");
        breaker.record(None, later);
        assert!(breaker.admit(later).is_ok() && !breaker.is_open());
    }
}
