//! The token that messages are sent with: kept in a file, refreshed, and got by signing in.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use picard_crypto::{ExposeSecret, SecretString};
use reqwest::Client;
use tokio::sync::{Mutex, watch};
use url::Url;

use super::challenge::Challenge;
use super::oauth::{Refreshed, includes, refresh};
use super::sign_in::SignIn;
use super::store::{Lock, Store, Stored};

/// How long whoever has just declined to sign in is left alone: clients try again at once.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// Where tokens come from, and the one that is good at the moment.
pub(super) struct Access {
    http: Client,
    url: Url,
    source: Source,
    held: watch::Sender<Option<Held>>,
    /// One renewal at a time; with when and why the last sign-in failed.
    turn: Mutex<Option<(Instant, String)>>,
    program: OnceLock<String>,
}

enum Source {
    /// The variable of this name; there is no other token.
    Variable(String),
    /// A file, and the person.
    Store(Store),
}

/// A token that is good as far as is known.
#[derive(Debug, Clone)]
struct Held {
    token: SecretString,
    scope: String,
}

impl Held {
    fn of(stored: &Stored) -> Self {
        Self { token: stored.access_token.as_str().into(), scope: stored.scope.clone() }
    }
}

/// A request was refused for want of a (better) token.
#[derive(Debug)]
pub(super) struct Need {
    used: Option<SecretString>,
    challenge: Challenge,
    is_step_up: bool,
    may_ask: bool,
    since: Instant,
}

impl Need {
    /// The token that was sent, if any, does not hold (any more).
    pub(super) fn of_token(used: Option<SecretString>, challenge: Challenge) -> Self {
        Self { used, challenge, is_step_up: false, may_ask: true, since: Instant::now() }
    }

    /// The token that was sent does not allow enough.
    pub(super) fn of_scope(used: Option<SecretString>, challenge: Challenge) -> Self {
        Self { is_step_up: true, ..Self::of_token(used, challenge) }
    }

    /// The same, but nobody is waiting who could be asked to sign in.
    pub(super) fn quietly(self) -> Self {
        Self { may_ask: false, ..self }
    }

    /// Whether this token may do what the one that was sent could not.
    fn is_met_by(&self, held: &Held) -> bool {
        let is_another = !is_same(self.used.as_ref(), Some(&held.token));
        is_another && (!self.is_step_up || includes(&held.scope, self.challenge.scope.as_deref().unwrap_or_default()))
    }
}

fn is_same(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.expose_secret() == other.expose_secret(),
        (None, None) => true,
        _ => false,
    }
}

/// Why there is no token.
enum Trouble {
    /// The person did not sign in.
    SignIn(String),
    /// Anything else, which may be gone the next time.
    Other(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl Access {
    /// Always the same token, which the variable of this name has.
    pub(super) fn of_variable(http: Client, url: Url, token: SecretString, name: String) -> Self {
        let held = Held { token, scope: String::new() };
        Self::new(http, url, Source::Variable(name), Some(held))
    }

    /// The tokens in a store.
    pub(super) fn of_store(http: Client, url: Url, store: Store) -> Self {
        let held = store.read().map(|stored| Held::of(&stored));
        Self::new(http, url, Source::Store(store), held)
    }

    fn new(http: Client, url: Url, source: Source, held: Option<Held>) -> Self {
        Self { http, url, source, held: watch::Sender::new(held), turn: Mutex::new(None), program: OnceLock::new() }
    }

    /// The token to send; without one, the server says what it wants.
    pub(super) fn token(&self) -> Option<SecretString> {
        self.held.borrow().as_ref().map(|held| held.token.clone())
    }

    /// Resolves when there is another token than this one.
    pub(super) async fn changed(&self, from: Option<&SecretString>) {
        let mut held = self.held.subscribe();
        let _ = held.wait_for(|held| !is_same(held.as_ref().map(|held| &held.token), from)).await;
    }

    /// The client has said what it is.
    pub(super) fn meet(&self, program: &str) {
        let _ = self.program.set(program.to_owned());
    }

    /// Gets a better token than the one that was refused.
    ///
    /// # Errors
    /// Why there is none, for the person at the client.
    pub(super) async fn renew(self: &Arc<Self>, need: Need) -> Result<(), String> {
        let access = Arc::clone(self);
        // In a task of its own: a request that is given up must not take the person's sign-in with it.
        let renewal = tokio::spawn(Box::pin(async move { access.renew_in_turn(&need).await }));
        renewal.await.unwrap_or_else(|_| Err("The sign-in broke off.".to_owned()))
    }

    async fn renew_in_turn(&self, need: &Need) -> Result<(), String> {
        let mut failed = self.turn.lock().await;
        // Whoever waited while the person declined is not to ask them again.
        if let Some((at, why)) = &*failed
            && need.may_ask
            && need.since < *at + LEFT_ALONE
        {
            return Err(why.clone());
        }
        match self.renew_now(need).await {
            Ok(()) => {
                *failed = None;
                Ok(())
            }
            Err(Trouble::Other(why)) => Err(format!("There is no access to the Picard server: {why}.")),
            Err(Trouble::SignIn(why)) => {
                let why = format!("Signing in to the Picard server did not work: {why}.");
                tracing::warn!("{why}");
                *failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    async fn renew_now(&self, need: &Need) -> Result<(), Trouble> {
        if self.held.borrow().as_ref().is_some_and(|held| need.is_met_by(held)) {
            return Ok(());
        }
        let store = match &self.source {
            Source::Store(store) => store,
            Source::Variable(name) => return Err(Trouble::Other(refused(name, need))),
        };
        let lock = store.lock().await?;
        // Another bridge may have been faster.
        let stored = store.read();
        if let Some(stored) = stored.as_ref().filter(|stored| need.is_met_by(&Held::of(stored))) {
            self.hold(stored);
            return Ok(());
        }
        let mut is_registered = true;
        if let Some(stored) = stored.as_ref().filter(|_| !need.is_step_up) {
            match refresh(&self.http, &self.url, stored).await? {
                Refreshed::Tokens(fresh) => return self.keep(store, &lock, &fresh).map_err(Trouble::Other),
                Refreshed::Ended { is_registered: is_known } => is_registered = is_known,
            }
        }
        if !need.may_ask {
            return Err(Trouble::Other("one has to sign in".to_owned()));
        }
        let fresh = self.sign_in(need, stored.as_ref(), is_registered).await.map_err(Trouble::SignIn)?;
        self.keep(store, &lock, &fresh).map_err(Trouble::Other)
    }

    async fn sign_in(&self, need: &Need, stored: Option<&Stored>, is_registered: bool) -> Result<Stored, String> {
        let sign_in = SignIn {
            http: &self.http,
            url: &self.url,
            challenge: &need.challenge,
            known: stored.filter(|_| is_registered),
            scope: stored.map_or("", |stored| stored.scope.as_str()),
            program: self.program.get().map(String::as_str),
        };
        Box::pin(sign_in.run()).await
    }

    /// Uses tokens, and lets others use them.
    fn keep(&self, store: &Store, lock: &Lock, fresh: &Stored) -> Result<(), String> {
        // Even if it cannot be kept: the old ones are worth nothing any more.
        self.hold(fresh);
        store.write(fresh, lock)
    }

    fn hold(&self, stored: &Stored) {
        self.held.send_replace(Some(Held::of(stored)));
    }
}

/// What is wrong with a token that nobody here can renew.
fn refused(name: &str, need: &Need) -> String {
    match &need.challenge.scope {
        Some(scope) if need.is_step_up => format!("the token in {name} does not allow {scope}"),
        _ => format!("the token in {name} does not hold (any more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::stored;
    use super::super::web;
    use super::*;

    fn challenge(scope: &str) -> Challenge {
        Challenge { scope: Some(scope.to_owned()), ..Challenge::default() }
    }

    fn held(token: &str, scope: &str) -> Held {
        Held { token: token.into(), scope: scope.to_owned() }
    }

    fn parts() -> (Client, Url) {
        // Nothing listens there.
        let url = Url::parse("http://127.0.0.1:9/mcp").expect("an address");
        (web::client(&url).expect("a client"), url)
    }

    #[test]
    fn a_need_is_met_by_another_token_that_allows_enough() {
        let need = Need::of_token(Some("t-1".into()), challenge("memories:read"));
        assert!(!need.is_met_by(&held("t-1", "memories:read")));
        assert!(need.is_met_by(&held("t-2", "")));
        assert!(Need::of_token(None, challenge("")).is_met_by(&held("t-1", "")), "no token was sent");

        let need = Need::of_scope(Some("t-1".into()), challenge("memories:write"));
        assert!(!need.is_met_by(&held("t-2", "memories:read")));
        assert!(need.is_met_by(&held("t-2", "memories:read memories:write")));
    }

    #[tokio::test]
    async fn tokens_that_another_bridge_has_got_are_used() {
        let home = tempfile::tempdir().expect("a folder");
        let (http, url) = parts();
        let store = Store::new(home.path().to_owned(), &url);
        let access = Arc::new(Access::of_store(http, url, store.clone()));
        assert!(access.token().is_none());

        let lock = store.lock().await.expect("the lock");
        let renewing = tokio::spawn({
            let access = Arc::clone(&access);
            async move { access.renew(Need::of_token(None, Challenge::default())).await }
        });
        store.write(&stored("t-1"), &lock).expect("written");
        drop(lock);

        renewing.await.expect("no panic").expect("a token");
        assert_eq!(access.token().expect("a token").expose_secret(), "t-1");
    }

    #[tokio::test]
    async fn a_server_that_is_away_takes_no_tokens_away() {
        let home = tempfile::tempdir().expect("a folder");
        let (http, url) = parts();
        let store = Store::new(home.path().to_owned(), &url);
        let kept = Stored { token_endpoint: "http://127.0.0.1:9/token".to_owned(), ..stored("t-1") };
        store.write(&kept, &store.lock().await.expect("the lock")).expect("written");
        let access = Arc::new(Access::of_store(http, url, store.clone()));

        let outcome = access.renew(Need::of_token(access.token(), Challenge::default())).await;

        assert!(outcome.is_err_and(|why| why.contains("refresh")));
        assert!(store.read().is_some_and(|read| read == kept));
    }

    #[tokio::test]
    async fn the_token_of_a_variable_is_never_renewed() {
        let (http, url) = parts();
        let access = Arc::new(Access::of_variable(http, url, "t-1".into(), "PICARD_TOKEN".to_owned()));

        let gone = access.renew(Need::of_token(access.token(), challenge("memories:read"))).await;
        let little = access.renew(Need::of_scope(access.token(), challenge("memories:write"))).await;

        assert!(gone.is_err_and(|why| why.contains("PICARD_TOKEN does not hold")));
        assert!(little.is_err_and(|why| why.contains("PICARD_TOKEN does not allow memories:write")));
        assert_eq!(access.token().expect("a token").expose_secret(), "t-1");
    }
}
