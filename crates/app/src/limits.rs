//! How often somebody may do something. The counters are in the database, so that limits hold across replicas.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString, Verdict, hash_token};
use picard_domain::{Caller, Error, UserId};
use picard_storage::limits::CountWithin;

use crate::bursts::Noted;
use crate::patience::{LONGEST_LOOK, within};
use crate::{App, bursts};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
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
    /// Answers of personas, per person who asks.
    pub answers: u32,
    /// The same a day.
    pub answers_a_day: u32,
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
        self.count_in_bursts(&format!("tools {}", caller.user_id)).await
    }

    /// Counts a read that is no call of a tool: as many are allowed as calls.
    ///
    /// # Errors
    /// [`Error::RateLimited`]; as every statement.
    pub fn count_read<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(within(LONGEST_LOOK, async move { self.count_in_bursts(&format!("reads {}", caller.user_id)).await }))
    }

    /// Counts a question to a persona.
    pub(crate) async fn count_answer(&self, caller: &Caller) -> Result<(), Error> {
        let limits = self.0.settings.limits;
        self.count(&of_answers(caller), limits.answers, MINUTE).await?;
        self.count(&of_answers_a_day(caller), limits.answers_a_day, DAY).await
    }

    /// Counts an answer to somebody else against what its owner allows a day.
    pub(crate) async fn count_for_owner(&self, caller: &Caller, owner: UserId) -> Result<(), Error> {
        if caller.user_id == owner {
            return Ok(());
        }
        match self.0.store.answers_a_day(owner).await? {
            None => Ok(()),
            Some(0) => Err(Error::RateLimited { retry_after: DAY }),
            Some(limit) => self.count(&of_owner(owner), limit, DAY).await,
        }
    }

    /// Takes a question back that got no answer.
    pub(crate) async fn give_answer_back(&self, caller: &Caller, owner: UserId) {
        let of_owner = (caller.user_id != owner).then(|| of_owner(owner));
        for subject in [of_answers(caller), of_answers_a_day(caller)].into_iter().chain(of_owner) {
            if let Err(error) = within(LONGEST_LOOK, self.0.store.give_back(&hash_token(&subject))).await {
                tracing::warn!(cause = %error, "A question without an answer stays counted.");
            }
        }
    }

    async fn count(&self, subject: &str, most: u32, window: Duration) -> Result<(), Error> {
        if most == 0 {
            return Ok(());
        }
        let counted = self.0.store.count_within(&hash_token(subject), 1, window).await?;
        counted.check(i32::try_from(most).unwrap_or(i32::MAX)).map_err(|retry_after| refused(subject, retry_after))
    }

    /// Counts what people do often, in a minute.
    async fn count_in_bursts(&self, subject: &str) -> Result<(), Error> {
        let most = match self.0.settings.limits.tools {
            0 => return Ok(()),
            most => i32::try_from(most).unwrap_or(i32::MAX),
        };
        let name = subject;
        let subject = hash_token(name);
        match self.0.bursts.note(&subject, most, Instant::now()) {
            Noted::Later => Ok(()),
            Noted::First => {
                let app = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(bursts::DELAY).await;
                    let calls = app.0.bursts.take(&subject);
                    if calls > 0
                        && let Err(error) = app.count_now(subject, calls).await
                    {
                        tracing::warn!(cause = %error, calls, "Calls that were let through could not be counted.");
                    }
                });
                Ok(())
            }
            Noted::Now(calls) => {
                let counted = self.count_now(subject, calls).await?;
                counted.check(most).map_err(|retry_after| refused(name, retry_after))
            }
        }
    }

    async fn count_now(&self, subject: [u8; 32], calls: i32) -> Result<CountWithin, Error> {
        let counted = self.0.store.count_within(&subject, calls, MINUTE).await?;
        self.0.bursts.learn(subject, counted.count, counted.left, Instant::now());
        Ok(counted)
    }

    /// Compares a password, unless too many tries have failed: for this account from this address, or from this address.
    ///
    /// A try is counted before it is made and taken back when it succeeds, so that a hundred tries at once are no better
    /// than ten; and it is counted by who has a turn to hash, so that many right passwords at once do no harm. Accounts
    /// that are not there, or have no password, cost the same time (LOG-05, LOG-07).
    pub(crate) async fn try_password(
        &self,
        account: &str,
        address: &str,
        password: SecretString,
        stored: Option<&str>,
    ) -> Result<Verdict, Error> {
        let limit = self.0.settings.limits.sign_in;
        let subjects =
            [(of_account(account, address), limit, MINUTE), (of_address(address), MOST_FAILURES_OF_AN_ADDRESS, TEN_MINUTES)]
                .map(|(subject, most, window)| (hash_token(&subject), i32::try_from(most).unwrap_or(i32::MAX), window));
        let counted = if limit == 0 { &[][..] } else { &subjects[..] };
        for (subject, most, _) in counted {
            if let Some(retry_after) = self.0.store.wait_of(subject, *most).await? {
                return Err(refused("sign-in", retry_after));
            }
        }
        // Nobody has such a password: it is not worth a hash (LOG-10).
        let password = if password.expose_secret().len() > 4_096 { SecretString::default() } else { password };
        let busy = |error| Error::unavailable("Signing in", error);
        let turn = self.0.passwords.turn().await.map_err(busy)?;
        for (subject, most, window) in counted {
            let counted = self.0.store.count_within(subject, 1, *window).await?;
            counted.check(*most).map_err(|retry_after| refused("sign-in", retry_after))?;
        }
        let verdict = turn.verify(password, stored).await.map_err(busy)?;
        if verdict != Verdict::NoMatch {
            for (subject, _, _) in counted {
                self.0.store.give_back(subject).await?;
            }
        }
        Ok(verdict)
    }
}

/// Says which limit was reached: the first word of what is counted, without whose it is.
fn refused(subject: &str, retry_after: Duration) -> Error {
    let limit = subject.split(' ').next().unwrap_or_default();
    tracing::warn!(event = "rate_limited", limit, "Somebody asked too often.");
    Error::RateLimited { retry_after }
}

fn of_answers(caller: &Caller) -> String {
    format!("answers {}", caller.user_id)
}

fn of_owner(owner: UserId) -> String {
    format!("answers of {owner}")
}

fn of_answers_a_day(caller: &Caller) -> String {
    format!("answers a day {}", caller.user_id)
}

fn of_account(account: &str, address: &str) -> String {
    format!("sign-in {:02x?} {address}", hash_token(account))
}

fn of_address(address: &str) -> String {
    format!("sign-in from {address}")
}
