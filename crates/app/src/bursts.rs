//! Calls of one person in quick succession, counted in the database together while the limit is far away.
//!
//! Sixteen calls at once would otherwise wait for each other at one row, and each pay for a statement. Close to the
//! limit every call is counted by itself, so that the last one that is allowed is the last one, at every replica.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

/// Calls are counted in the database this long after they were let through, at the latest.
pub(crate) const DELAY: Duration = Duration::from_millis(50);
/// Limits under this are counted call by call.
const LEAST_LIMIT: i32 = 100;
/// Of so many people at most.
const MOST: usize = 4_096;

/// A hash of whom is counted.
type Subject = [u8; 32];

/// What is known of the counters of those who are calling.
pub(crate) struct Bursts(Mutex<LruCache<Subject, Burst>>);

#[derive(Debug, Clone, Copy)]
struct Burst {
    /// What the database had counted when it was last asked, for all replicas.
    counted: i32,
    /// What has been let through here since.
    waiting: i32,
    /// When the window is over.
    ends: Instant,
}

/// What to do about a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It may go on, and so many calls are to be counted together a little later; somebody does that already.
    Later,
    /// It may go on, and is the first of those that are to be counted a little later.
    First,
    /// It has to be counted now, together with those that wait: so many in all.
    Now(i32),
}

impl Default for Bursts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Bursts {
    fn all(&self) -> MutexGuard<'_, LruCache<Subject, Burst>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call of this subject, which may make so many in a window.
    pub(crate) fn note(&self, subject: &Subject, most: i32, now: Instant) -> Noted {
        let mut all = self.all();
        let Some(burst) = all.get_mut(subject).filter(|burst| now < burst.ends) else { return Noted::Now(1) };
        let with_this = burst.counted.saturating_add(burst.waiting).saturating_add(1);
        let is_far = most >= LEAST_LIMIT && with_this <= most / 2 && burst.waiting < most / LEAST_LIMIT;
        if !is_far {
            return Noted::Now(std::mem::take(&mut burst.waiting) + 1);
        }
        burst.waiting += 1;
        if burst.waiting == 1 { Noted::First } else { Noted::Later }
    }

    /// What is to be counted now because the delay is over.
    pub(crate) fn take(&self, subject: &Subject) -> i32 {
        self.all().get_mut(subject).map_or(0, |burst| std::mem::take(&mut burst.waiting))
    }

    /// What the database says now, and how long its window still is.
    pub(crate) fn learn(&self, subject: Subject, counted: i32, left: Duration, now: Instant) {
        let mut all = self.all();
        let ends = now + left;
        match all.get_mut(&subject) {
            Some(burst) => (burst.counted, burst.ends) = (counted, ends),
            None => {
                all.insert(subject, Burst { counted, waiting: 0, ends });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Subject = [1; 32];
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn calls_far_from_the_limit_are_counted_together() {
        let (bursts, now) = (Bursts::default(), Instant::now());

        assert_eq!(bursts.note(&ADA, 600, now), Noted::Now(1), "nothing is known yet");
        bursts.learn(ADA, 1, MINUTE, now);
        let noted: Vec<Noted> = (0..7).map(|_| bursts.note(&ADA, 600, now)).collect();

        assert_eq!(noted[0], Noted::First);
        assert!(noted[1..6].iter().all(|noted| *noted == Noted::Later));
        assert_eq!(noted[6], Noted::Now(7), "a hundredth of the limit may wait");
        assert_eq!(bursts.take(&ADA), 0);
    }

    #[test]
    fn calls_near_the_limit_are_counted_one_by_one() {
        let (bursts, now) = (Bursts::default(), Instant::now());

        bursts.learn(ADA, 299, MINUTE, now);
        assert_eq!(bursts.note(&ADA, 600, now), Noted::First);
        assert_eq!(bursts.note(&ADA, 600, now), Noted::Now(2));
        bursts.learn(ADA, 301, MINUTE, now);

        assert_eq!(bursts.note(&ADA, 600, now), Noted::Now(1));
        assert_eq!(bursts.note(&[2; 32], 600, now), Noted::Now(1), "others are others");
    }

    #[test]
    fn low_limits_and_new_windows_are_counted_at_once() {
        let (bursts, now) = (Bursts::default(), Instant::now());

        bursts.learn(ADA, 1, MINUTE, now);

        assert_eq!(bursts.note(&ADA, 99, now), Noted::Now(1));
        assert_eq!(bursts.note(&ADA, 600, now + MINUTE), Noted::Now(1));
    }
}
