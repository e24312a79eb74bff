//! Limits on tries, counted in PostgreSQL.

use std::net::IpAddr;

use picard_crypto::hash_token;
use sqlx::PgPool;
use uuid::Uuid;

use crate::db::{DatabaseError, attempts};

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Try {
    /// Signing in to an account.
    SignIn,
    /// Asking for a username, which tells whether it is taken; counted for the address alone.
    Registration,
    /// Administering the Picard server.
    Administration,
    /// Having the Picard server hand out tokens, of which it gives only so many to all people together; counted for the
    /// person alone, whether it succeeds or not.
    Connection,
}

/// How many tries fit into how many seconds.
struct Allowance {
    tries: i32,
    seconds: i32,
}

/// For an account at an address, or whichever of the two there is.
const NARROW: Allowance = Allowance { tries: 10, seconds: 60 };
/// For an address, whatever the accounts are that are tried from there (LOG-07).
const WIDE: Allowance = Allowance { tries: 100, seconds: 600 };

/// A try that may go on; it counts as failed until it is taken back.
#[derive(Debug)]
pub(crate) struct Permit {
    keys: Vec<[u8; 32]>,
}

/// The answer to whoever wants to try.
#[derive(Debug)]
pub(crate) enum Decision {
    GoOn(Permit),
    /// Too many failures; the seconds to wait.
    Wait(u64),
}

/// Counts a try from an address and says whether it may go on.
pub(crate) async fn ask(pool: &PgPool, what: Try, account: &str, address: IpAddr) -> Result<Decision, DatabaseError> {
    let narrow = hash_token(&format!("{what:?}\0{account}\0{address}"));
    let wide = hash_token(&format!("{what:?} from\0{address}"));
    let decision = count(pool, &[(narrow, NARROW), (wide, WIDE)]).await?;
    if let Decision::Wait(_) = decision {
        tracing::warn!(event = "rate_limited", kind = ?what, client.address = %address, "too many tries from an address");
    }
    Ok(decision)
}

/// Counts a try of a person, wherever they are, and says whether it may go on.
pub(crate) async fn ask_person(pool: &PgPool, what: Try, person_id: Uuid) -> Result<Decision, DatabaseError> {
    let decision = count(pool, &[(hash_token(&format!("{what:?} by\0{person_id}")), NARROW)]).await?;
    if let Decision::Wait(_) = decision {
        tracing::warn!(event = "rate_limited", kind = ?what, user.id = %person_id, "too many tries of a person");
    }
    Ok(decision)
}

async fn count(pool: &PgPool, counters: &[([u8; 32], Allowance)]) -> Result<Decision, DatabaseError> {
    for (key, allowance) in counters {
        let tally = attempts::count(pool, key, allowance.seconds).await?;
        if tally.count > allowance.tries {
            return Ok(Decision::Wait(u64::from(tally.seconds_left.unsigned_abs())));
        }
    }
    Ok(Decision::GoOn(Permit { keys: counters.iter().map(|(key, _)| *key).collect() }))
}

impl Permit {
    /// The try succeeded: it does not count.
    pub(crate) async fn take_back(self, pool: &PgPool) -> Result<(), DatabaseError> {
        for key in &self.keys {
            attempts::take_back(pool, key).await?;
        }
        Ok(())
    }
}
