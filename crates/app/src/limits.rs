//! How often somebody may do something. The counters are in the database, so that limits hold across replicas.

use std::time::Duration;

use picard_crypto::hash_token;
use picard_domain::{Caller, Error};

use crate::App;

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Failed tries to sign in from one address in ten minutes, whatever the accounts are (LOG-07).
const MOST_FAILURES_OF_AN_ADDRESS: u32 = 100;

/// The most requests a minute; 0 means as many as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At `/token`, `/register`, the user-token flow and for sign-ups, each per client and address.
    pub tokens: u32,
    /// Calls of tools, per person.
    pub tools: u32,
    /// Failed tries to sign in, per account and address.
    pub sign_in: u32,
}

impl App {
    /// Counts a request of a client from an address, under the name of what it asks for.
    pub(crate) async fn count_request(&self, what: &str, client: &str, address: &str) -> Result<(), Error> {
        // Hashed once more, so that no text of the client can pass for another's.
        let client = hash_token(client);
        self.count(&format!("{what} {client:02x?} {address}"), self.0.settings.limits.tokens, MINUTE).await
    }

    /// Counts a call of a tool.
    pub(crate) async fn count_tool_call(&self, caller: &Caller) -> Result<(), Error> {
        // The command line is nobody's client: an import is as long as it is.
        if caller.client_id.0.is_nil() {
            return Ok(());
        }
        self.count(&format!("tools {}", caller.user_id), self.0.settings.limits.tools, MINUTE).await
    }

    async fn count(&self, subject: &str, most: u32, window: Duration) -> Result<(), Error> {
        if most == 0 {
            return Ok(());
        }
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        match self.0.store.count_within(&hash_token(subject), most, window).await? {
            Some(retry_after) => Err(Error::RateLimited { retry_after }),
            None => Ok(()),
        }
    }

    /// Refuses while too many tries to sign in have failed: to this account from this address, or from this address.
    pub(crate) async fn check_sign_in_failures(&self, account: &str, address: &str) -> Result<(), Error> {
        let most = self.0.settings.limits.sign_in;
        if most == 0 {
            return Ok(());
        }
        for (subject, most) in [(of_account(account, address), most), (of_address(address), MOST_FAILURES_OF_AN_ADDRESS)] {
            let most = i32::try_from(most).unwrap_or(i32::MAX);
            if let Some(retry_after) = self.0.store.wait_of(&hash_token(&subject), most).await? {
                return Err(Error::RateLimited { retry_after });
            }
        }
        Ok(())
    }

    /// Counts a failed try to sign in.
    pub(crate) async fn count_sign_in_failure(&self, account: &str, address: &str) -> Result<(), Error> {
        self.0.store.count_within(&hash_token(&of_account(account, address)), i32::MAX, MINUTE).await?;
        self.0.store.count_within(&hash_token(&of_address(address)), i32::MAX, TEN_MINUTES).await?;
        Ok(())
    }
}

fn of_account(account: &str, address: &str) -> String {
    format!("sign-in {:02x?} {address}", hash_token(account))
}

fn of_address(address: &str) -> String {
    format!("sign-in from {address}")
}
