//! Passwords: argon2id on blocking threads, few at a time, so that a flood of sign-ins can neither fill the memory
//! nor stall the other requests.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::Error;
use argon2::password_hash::phc::PasswordHash;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use argon2::{PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::token::random_bytes;

/// The least that OWASP's Password Storage Cheat Sheet asks of argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_LENGTH: usize = 16;
const OUTPUT_LENGTH: usize = 32;

/// Longer than a short burst takes to drain, shorter than people wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The 3,000 most used passwords of at least 8 characters, sorted (from the list that Royce Williams compiled from leaks).
const COMMON: &str = include_str!("common_passwords.txt");

/// Whether it is among the first that anybody would try, in any mixture of upper and lower case (LOG-10).
#[must_use]
pub fn is_common_password(password: &str) -> bool {
    let password = password.to_lowercase();
    COMMON.lines().any(|common| common == password)
}

/// Hashes and verifies passwords. A clone shares the limit.
#[derive(Clone)]
pub struct PasswordHasher {
    permits: Arc<Semaphore>,
    longest_wait: Duration,
    argon2: Argon2<'static>,
    /// The hash of a password nobody knows, verified where there is no account.
    dummy: Arc<str>,
}

impl PasswordHasher {
    /// Allows that many hashes at once (at least one), each 19 MiB on one core. Hashes once itself, which blocks as
    /// long as one sign-in takes.
    pub fn new(max_parallel: usize) -> Self {
        Self::with_wait(max_parallel, LONGEST_WAIT)
    }

    fn with_wait(max_parallel: usize, longest_wait: Duration) -> Self {
        let params =
            Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_LENGTH)).expect("the parameters are within argon2's bounds");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, &random_bytes::<32>()).expect("a program that starts has memory for one hash");
        Self { permits: Arc::new(Semaphore::new(max_parallel.max(1))), longest_wait, argon2, dummy: dummy.into() }
    }

    /// Hashes a password into a PHC string with a fresh salt. The caller has checked the password's length.
    pub async fn hash(&self, password: SecretString) -> Result<String, Busy> {
        let argon2 = self.argon2.clone();
        self.turn().await?.run(move || hash(&argon2, password.expose_secret().as_bytes())).await?
    }

    /// Compares a password with a stored PHC string. `None`, for an unknown account or one without a password, and a
    /// string that is no argon2 hash take the same time and never match.
    pub async fn verify(&self, password: SecretString, stored: Option<&str>) -> Result<Verdict, Busy> {
        self.turn().await?.verify(password, stored).await
    }

    /// Waits for a turn: what is done before the comparison, while one has a turn, is done by few at a time.
    pub async fn turn(&self) -> Result<Turn, Busy> {
        let turn = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(self.longest_wait, turn).await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        Ok(Turn { argon2: self.argon2.clone(), dummy: Arc::clone(&self.dummy), permit })
    }
}

/// The right to do one piece of work.
pub struct Turn {
    argon2: Argon2<'static>,
    dummy: Arc<str>,
    permit: OwnedSemaphorePermit,
}

impl fmt::Debug for Turn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl Turn {
    /// As [`PasswordHasher::verify`].
    pub async fn verify(self, password: SecretString, stored: Option<&str>) -> Result<Verdict, Busy> {
        let argon2 = self.argon2.clone();
        let dummy = Arc::clone(&self.dummy);
        let stored = stored.map(str::to_owned);
        self.run(move || {
            let password = password.expose_secret().as_bytes();
            match stored.as_deref().and_then(Stored::read) {
                Some(stored) => stored.judge(&argon2, password),
                None => {
                    // The result is known; the work is not to be optimised away.
                    let _ = black_box(argon2.verify_password(password, &*dummy));
                    Ok(Verdict::NoMatch)
                }
            }
        })
        .await?
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let permit = self.permit;
        // The permit goes with the work: a caller who hangs up frees no memory, so it must free no turn either.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|_| Busy)
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHasher").field("free_turns", &self.permits.available_permits()).finish_non_exhaustive()
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Match,
    /// The password is right, but its hash was made with weaker parameters than today's: hash and store it anew.
    MatchNeedsRehash,
    /// The password is wrong, or there is none to compare with.
    NoMatch,
}

/// Too many passwords are being hashed; the caller should try again in a few seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub struct Busy;

/// A stored hash that can be compared with, as far as its text tells.
struct Stored {
    hash: PasswordHash,
    needs_rehash: bool,
}

impl Stored {
    fn read(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
        let salt_length = hash.salt.as_ref()?.len();
        let output_length = hash.hash.as_ref()?.len();
        let is_current = hash.algorithm == ARGON2ID_IDENT
            && version == Version::V0x13
            && params.m_cost() >= MEMORY_KIB
            && params.t_cost() >= PASSES
            && salt_length >= SALT_LENGTH
            && output_length >= OUTPUT_LENGTH;
        Some(Self { hash, needs_rehash: !is_current })
    }

    fn judge(&self, argon2: &Argon2<'_>, password: &[u8]) -> Result<Verdict, Busy> {
        match argon2.verify_password(password, &self.hash) {
            Ok(()) if self.needs_rehash => Ok(Verdict::MatchNeedsRehash),
            Ok(()) => Ok(Verdict::Match),
            Err(Error::PasswordInvalid) => Ok(Verdict::NoMatch),
            // No memory for it right now: "wrong password" would be a lie.
            Err(_) => Err(Busy),
        }
    }
}

/// Fails only if the memory for it cannot be had.
fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, Busy> {
    let hash = argon2.hash_password_with_salt(password, &random_bytes::<SALT_LENGTH>());
    hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_| Busy)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn hashed_with(algorithm: Algorithm, memory: u32, passes: u32) -> String {
        let params = Params::new(memory, passes, 1, Some(OUTPUT_LENGTH)).unwrap();
        hash(&Argon2::new(algorithm, Version::V0x13, params), b"make it so").unwrap()
    }

    #[tokio::test]
    async fn the_right_password_matches_and_any_other_does_not() {
        let hasher = PasswordHasher::new(2);

        let stored = hasher.hash(secret("make it so")).await.unwrap();
        let again = hasher.hash(secret("make it so")).await.unwrap();

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(stored, again);
        for (password, expected) in [("make it so", Verdict::Match), ("make it so ", Verdict::NoMatch), ("", Verdict::NoMatch)] {
            let verdict = hasher.verify(secret(password), Some(&stored)).await;
            assert_eq!(verdict, Ok(expected), "{password:?}");
        }
    }

    #[tokio::test]
    async fn no_character_of_a_long_password_is_ignored() {
        let hasher = PasswordHasher::new(1);
        let long = "🖖".repeat(1_024);
        let stored = hasher.hash(secret(&long)).await.unwrap();

        let almost = format!("{}x", "🖖".repeat(1_023));

        assert_eq!(hasher.verify(secret(&long), Some(&stored)).await, Ok(Verdict::Match));
        assert_eq!(hasher.verify(secret(&almost), Some(&stored)).await, Ok(Verdict::NoMatch));
    }

    /// The test vector of RFC 9106 uses a secret and associated data; this one is argon2's own (reference
    /// implementation, test.c: argon2id, version 19, t=2, m=2^16, p=1).
    #[tokio::test]
    async fn a_hash_of_another_implementation_matches() {
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

        let verdict = PasswordHasher::new(1).verify(secret("password"), Some(stored)).await;

        assert_eq!(verdict, Ok(Verdict::MatchNeedsRehash));
    }

    #[tokio::test]
    async fn a_weaker_hash_matches_and_asks_to_be_renewed() {
        let hasher = PasswordHasher::new(1);

        for (weaker, stored) in [
            ("memory", hashed_with(Algorithm::Argon2id, MEMORY_KIB - 1, PASSES)),
            ("passes", hashed_with(Algorithm::Argon2id, MEMORY_KIB, PASSES - 1)),
            ("algorithm", hashed_with(Algorithm::Argon2i, MEMORY_KIB, PASSES)),
        ] {
            let verdict = hasher.verify(secret("make it so"), Some(&stored)).await;
            assert_eq!(verdict, Ok(Verdict::MatchNeedsRehash), "{weaker}");
            let verdict = hasher.verify(secret("wrong"), Some(&stored)).await;
            assert_eq!(verdict, Ok(Verdict::NoMatch), "{weaker}");
        }
        let stronger = hashed_with(Algorithm::Argon2id, MEMORY_KIB * 2, PASSES + 1);
        let verdict = hasher.verify(secret("make it so"), Some(&stronger)).await;
        assert_eq!(verdict, Ok(Verdict::Match));
    }

    #[tokio::test]
    async fn without_an_account_nothing_matches_but_the_work_is_done() {
        let hasher = PasswordHasher::new(1);
        let known = hasher.hash(secret("make it so")).await.unwrap();
        let bcrypt = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW";

        let usual = quickest(&hasher, Some(&known)).await;
        for stored in [None, Some(""), Some("plain"), Some(bcrypt), Some("$argon2id$v=19$m=19456,t=2,p=1")] {
            // Skipping the work would be a thousand times quicker; the slack is for a busy machine.
            assert!(quickest(&hasher, stored).await > usual / 3, "{stored:?}");
        }
    }

    async fn quickest(hasher: &PasswordHasher, stored: Option<&str>) -> Duration {
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let verdict = hasher.verify(secret("wrong"), stored).await;
            quickest = quickest.min(start.elapsed());
            assert_eq!(verdict, Ok(Verdict::NoMatch));
        }
        quickest
    }

    #[tokio::test]
    async fn who_waits_too_long_for_a_turn_is_told_so() {
        let hasher = PasswordHasher::with_wait(1, Duration::from_millis(10));
        let only_turn = Arc::clone(&hasher.permits).acquire_owned().await.unwrap();

        assert_eq!(hasher.hash(secret("any")).await, Err(Busy));
        assert_eq!(hasher.verify(secret("any"), None).await, Err(Busy));

        drop(only_turn);
        assert_eq!(hasher.verify(secret("any"), None).await, Ok(Verdict::NoMatch));
    }

    #[tokio::test]
    async fn a_caller_who_hangs_up_frees_no_turn_before_the_work_ends() {
        let hasher = PasswordHasher::new(1);

        let given_up = tokio::time::timeout(Duration::ZERO, hasher.hash(secret("any"))).await;

        assert!(given_up.is_err());
        assert_eq!(hasher.permits.available_permits(), 0);
        assert!(hasher.hash(secret("any")).await.is_ok());
    }

    #[tokio::test]
    async fn clones_share_the_turns_and_zero_means_one() {
        let hasher = PasswordHasher::new(0);

        assert_eq!(hasher.clone().permits.available_permits(), 1);
        assert!(Arc::ptr_eq(&hasher.permits, &hasher.clone().permits));
    }

    #[test]
    fn a_hasher_prints_no_hash() {
        let printed = format!("{:?}", PasswordHasher::new(3));

        assert_eq!(printed, "PasswordHasher { free_turns: 3, .. }");
    }
}
