//! The circuit breaker: a provider that is away is asked now and then, not by everyone all the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::EmbedError;

/// Failures in a row that open it.
const LIMIT: u32 = 5;

/// How long it stays open before one request may try.
const PAUSE: Duration = Duration::from_secs(5);

/// A provider that asks for more patience than this is tried anyway.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Closed until [`LIMIT`] failures in a row; then open, with one request let through a pause.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Lets the request pass, or says how long to wait.
    pub(super) fn admit(&self, now: Instant) -> Result<(), EmbedError> {
        let mut state = self.state();
        match state.open_until {
            Some(until) if now < until => Err(EmbedError::Unavailable {
                retry_after: Some(until - now),
                reason: format!("the provider failed {} times in a row", state.failures),
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
    pub(super) fn record<T>(&self, outcome: &Result<T, EmbedError>, now: Instant) {
        let asked_pause = match outcome {
            Ok(_) | Err(EmbedError::Rejected(_)) => {
                *self.state() = State::default();
                return;
            }
            Err(EmbedError::Unavailable { retry_after, .. }) => retry_after.unwrap_or(PAUSE),
            Err(EmbedError::InvalidAnswer(_)) => PAUSE,
        };

        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= LIMIT {
            state.open_until = Some(now + asked_pause.clamp(PAUSE, MAX_PAUSE));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(retry_after: Option<Duration>) -> Result<(), EmbedError> {
        Err(EmbedError::Unavailable { retry_after, reason: "away".to_owned() })
    }

    fn opened(at: Instant, retry_after: Option<Duration>) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..LIMIT {
            assert!(breaker.admit(at).is_ok());
            breaker.record(&failed(retry_after), at);
        }
        breaker
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row() {
        let now = Instant::now();
        let breaker = opened(now, None);

        let Err(EmbedError::Unavailable { retry_after, .. }) = breaker.admit(now) else {
            panic!("open");
        };
        assert_eq!(retry_after, Some(PAUSE));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_again() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for answer in [Ok(()), Err(EmbedError::Rejected("too long".to_owned()))] {
            for _ in 1..LIMIT {
                breaker.record(&failed(None), now);
            }
            breaker.record(&answer, now);
        }
        assert!(breaker.admit(now).is_ok());
    }

    #[test]
    fn after_the_pause_one_may_try_and_its_success_closes_it() {
        let start = Instant::now();
        let breaker = opened(start, None);
        let later = start + PAUSE;

        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "only one tries");
        breaker.record(&Ok(()), later);
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_failed_try_and_a_lost_try_both_lead_to_another_pause() {
        let start = Instant::now();
        let breaker = opened(start, None);
        let second = start + PAUSE;
        let third = second + PAUSE;

        assert!(breaker.admit(second).is_ok());
        breaker.record(&failed(None), second);
        assert!(breaker.admit(second).is_err());
        assert!(breaker.admit(third).is_ok(), "and its outcome is never recorded");
        assert!(breaker.admit(third).is_err());
        assert!(breaker.admit(third + PAUSE).is_ok());
    }

    #[test]
    fn the_provider_may_ask_for_more_patience_within_reason() {
        let now = Instant::now();
        let patient = opened(now, Some(Duration::from_secs(20)));
        assert!(patient.admit(now + Duration::from_secs(19)).is_err());
        assert!(patient.admit(now + Duration::from_secs(20)).is_ok());

        let absurd = opened(now, Some(Duration::from_secs(3600)));
        assert!(absurd.admit(now + MAX_PAUSE).is_ok());
    }
}
