//! Limits on failed tries, per account and address, counted in PostgreSQL.

use std::net::{IpAddr, Ipv6Addr};

use picard_crypto::hash_token;
use sqlx::PgPool;

use crate::db::{DatabaseError, attempts};

/// Failed tries that are allowed within a minute.
const ALLOWED: i32 = 10;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Try {
    /// Signing in to an account.
    SignIn,
    /// Asking for a username, which tells whether it is taken; counted for the address alone.
    Registration,
    /// Administering the Picard server.
    Administration,
}

/// A try that may go on; it counts as failed until it is taken back.
#[derive(Debug)]
pub(crate) struct Permit {
    key: [u8; 32],
}

/// The answer to whoever wants to try.
#[derive(Debug)]
pub(crate) enum Decision {
    GoOn(Permit),
    /// Too many failures; the seconds to wait.
    Wait(u64),
}

/// Counts the try and says whether it may go on.
pub(crate) async fn ask(pool: &PgPool, what: Try, account: &str, address: IpAddr) -> Result<Decision, DatabaseError> {
    let key = hash_token(&format!("{what:?}\0{account}\0{}", neighbourhood(address)));
    let tally = attempts::count(pool, &key).await?;
    if tally.count > ALLOWED {
        return Ok(Decision::Wait(u64::from(tally.seconds_left.unsigned_abs())));
    }
    Ok(Decision::GoOn(Permit { key }))
}

impl Permit {
    /// The try succeeded: it does not count.
    pub(crate) async fn take_back(self, pool: &PgPool) -> Result<(), DatabaseError> {
        attempts::take_back(pool, &self.key).await
    }
}

/// One household has a whole /64 of IPv6 addresses to try from.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::neighbourhood;

    #[test]
    fn addresses_of_one_household_count_as_one() {
        let of = |address: &str| neighbourhood(address.parse().expect("an address")).to_string();

        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
