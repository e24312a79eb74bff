//! One subscriber: hears of changes as long as they may, and only of what they may see.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Error, MemoryId, Reach, Scope, UserId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::App;
use crate::changes::{Change, News};
use crate::mcp_sessions::{OfSession, SessionKey, SessionNews};
use crate::patience::{LONGEST_CALL, LONGEST_LOOK, within};

/// The most subscriptions that one person has open at a server.
const MOST_OF_A_PERSON: usize = 50;
/// Changes within this time are told together.
const COALESCE: Duration = Duration::from_millis(100);
/// How often an idle subscription asks whether its token still holds.
const CHECK: Duration = Duration::from_secs(30);

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watched {
    /// The list of the subscriber's own memories.
    OwnList,
    /// One memory.
    Memory(MemoryId),
    /// The memories of a person, as far as the subscriber may see them.
    MemoriesOf(UserId),
}

/// How many subscriptions everybody has open.
#[derive(Default)]
pub(crate) struct Open(Mutex<HashMap<UserId, usize>>);

impl Open {
    fn add(&self, person: UserId) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(person).or_default();
        let may = *count < MOST_OF_A_PERSON;
        *count += usize::from(may);
        may
    }

    fn remove(&self, person: UserId) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&person) {
            *count -= 1;
            if *count == 0 {
                open.remove(&person);
            }
        }
    }
}

/// What is watched, and what the subscriber calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// What is watched.
    pub watched: Watched,
    /// For example a URI.
    pub name: String,
}

/// Why nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The subscriber's token holds no more, or their session has ended.
    Over,
    /// Another stream of the session tells from now on.
    Displaced,
}

/// Hears of changes; it ends when it is dropped.
pub struct Subscription {
    app: App,
    caller: Caller,
    watches: Vec<Watch>,
    news: broadcast::Receiver<News>,
    /// When the token was looked at last.
    checked: Instant,
    session: Option<InSession>,
}

/// A subscription that follows what a session subscribes to.
struct InSession {
    key: SessionKey,
    /// The name of this stream among those of the session.
    stream: String,
    /// Whether the servers have heard of this stream: what they heard of others before is older.
    is_newest: bool,
    /// What a name means.
    read: fn(&str) -> Option<Watched>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.app.0.subscriptions.remove(self.caller.user_id);
    }
}

impl App {
    /// Whether the caller may watch this. A person may be watched whoever they are: that there is one is not told.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; as every statement.
    pub fn may_watch<'a>(&'a self, caller: &'a Caller, watched: Watched) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            caller.require(Scope::Read)?;
            match watched {
                Watched::OwnList | Watched::MemoriesOf(_) => Ok(true),
                Watched::Memory(id) => self.sees(caller, id).await,
            }
        }))
    }

    /// Begins to hear of changes.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Conflict`] with too many open at once.
    pub fn subscribe(&self, caller: &Caller, watches: Vec<Watch>) -> Result<Subscription, Error> {
        caller.require(Scope::Read)?;
        if !self.0.subscriptions.add(caller.user_id) {
            return Err(Error::Conflict(format!("Only {MOST_OF_A_PERSON} subscriptions may be open at once: close one first.")));
        }
        let news = self.0.changes.news.subscribe();
        Ok(Subscription { app: self.clone(), caller: caller.clone(), watches, news, checked: Instant::now(), session: None })
    }

    /// Begins to hear of changes of the caller's own list and of what their session subscribes to, now and later; no
    /// other stream of the session is told any more. `read` says what a name means that the session has subscribed to.
    ///
    /// # Errors
    /// As [`App::subscribe`]; as every statement.
    pub fn follow_session<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        read: fn(&str) -> Option<Watched>,
    ) -> BoxFuture<'a, Result<Subscription, Error>> {
        Box::pin(within(LONGEST_CALL, async move {
            let mut subscription = self.subscribe(caller, Vec::new())?;
            let (key, stream) = (SessionKey::of(id), Uuid::new_v4().to_string());
            self.announce_stream(key, &stream).await?;
            subscription.session = Some(InSession { key, stream, is_newest: false, read });
            match subscription.read_session().await {
                Ok(()) => Ok(subscription),
                Err(Stop::Ended(_)) => Err(Error::NotFound),
                Err(Stop::Failed(error)) => Err(error),
            }
        }))
    }

    async fn sees(&self, caller: &Caller, id: MemoryId) -> Result<bool, Error> {
        let owner = self.0.store.memory_owner(Reach::Visible { reader: caller.user_id }, id).await?;
        Ok(owner.is_some())
    }

    async fn is_still_welcome(&self, caller: &Caller) -> Result<bool, Error> {
        if caller.expires_at <= self.0.clock.now() {
            return Ok(false);
        }
        self.0.store.is_welcome(caller.grant_id, caller.user_id, caller.token_id).await
    }
}

impl Subscription {
    /// All that is watched now.
    #[must_use]
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// Waits for changes.
    ///
    /// # Errors
    /// [`Ended`] when nothing more will be told.
    pub async fn next(&mut self) -> Result<Vec<Watch>, Ended> {
        loop {
            let due = match tokio::time::timeout(CHECK, self.news.recv()).await {
                Err(_) => Vec::new(),
                Ok(Err(RecvError::Closed)) => return Err(Ended::Over),
                Ok(first) => self.collect(first).await,
            };
            match self.told_in_time(&due).await {
                Ok(told) if told.is_empty() => {}
                Ok(told) => return Ok(told),
                Err(Stop::Ended(ended)) => return Err(ended),
                // What could not be looked up is made up for by telling everything, as soon as it can be.
                Err(Stop::Failed(error)) => {
                    tracing::warn!(cause = %error, "A subscriber waits for the database.");
                    tokio::time::sleep(CHECK / 30).await;
                    match self.told_in_time(&[News::Missed]).await {
                        Ok(all) => return Ok(all),
                        Err(Stop::Ended(ended)) => return Err(ended),
                        Err(Stop::Failed(_)) => {}
                    }
                }
            }
        }
    }

    async fn collect(&mut self, first: Result<News, RecvError>) -> Vec<News> {
        tokio::time::sleep(COALESCE).await;
        let mut due = vec![first.unwrap_or(News::Missed)];
        loop {
            match self.news.try_recv() {
                Ok(news) => due.push(news),
                Err(broadcast::error::TryRecvError::Lagged(_)) => due.push(News::Missed),
                Err(_) => return due,
            }
        }
    }

    async fn told_in_time(&mut self, due: &[News]) -> Result<Vec<Watch>, Stop> {
        let told = tokio::time::timeout(LONGEST_CALL, self.told(due)).await;
        told.unwrap_or_else(|elapsed| Err(Stop::Failed(Error::unavailable("The database", elapsed))))
    }

    /// What of the news the subscriber is told.
    async fn told(&mut self, due: &[News]) -> Result<Vec<Watch>, Stop> {
        let mut told: Vec<Watch> = Vec::new();
        for news in due {
            match news {
                News::Session(of) => self.hear_of_session(of).await?,
                News::Missed if self.session.is_some() => self.read_session().await?,
                News::Missed | News::Changed(_) => {}
            }
            for watch in &self.watches {
                if !told.contains(watch) && self.concerns(watch.watched, news).await? {
                    told.push(watch.clone());
                }
            }
        }
        if !told.is_empty() || self.checked.elapsed() > CHECK {
            if !self.app.is_still_welcome(&self.caller).await? {
                return Err(Stop::Ended(Ended::Over));
            }
            self.checked = Instant::now();
        }
        // A memory that has gone out of sight is told of once, and never again.
        for watch in &told {
            if let Watched::Memory(id) = watch.watched
                && !self.app.sees(&self.caller, id).await?
            {
                self.watches.retain(|other| other != watch);
            }
        }
        Ok(told)
    }

    async fn concerns(&self, watched: Watched, news: &News) -> Result<bool, Error> {
        let Change { owner, memory, is_open } = match news {
            News::Changed(change) => *change,
            News::Missed => return Ok(true),
            News::Session(_) => return Ok(false),
        };
        let reader = self.caller.user_id;
        match watched {
            Watched::OwnList => Ok(owner == reader),
            Watched::Memory(id) => Ok(memory == Some(id)),
            Watched::MemoriesOf(person) if person != owner => Ok(false),
            Watched::MemoriesOf(_) if owner == reader || is_open => Ok(true),
            // What is shared with the subscriber; of all else they hear nothing, not even that it was changed (MEM-10).
            Watched::MemoriesOf(_) => match memory {
                Some(id) => self.app.sees(&self.caller, id).await,
                None => Ok(false),
            },
        }
    }

    async fn hear_of_session(&mut self, of: &OfSession) -> Result<(), Stop> {
        let Some(session) = self.session.as_mut().filter(|session| session.key == of.session) else {
            return Ok(());
        };
        match &of.news {
            SessionNews::Ended => Err(Stop::Ended(Ended::Over)),
            SessionNews::Subscriptions => self.read_session().await,
            SessionNews::Stream(name) if *name == session.stream => {
                session.is_newest = true;
                Ok(())
            }
            SessionNews::Stream(_) if session.is_newest => Err(Stop::Ended(Ended::Displaced)),
            SessionNews::Stream(_) | SessionNews::Said { .. } => Ok(()),
        }
    }

    /// Reads what the session subscribes to: of that, what the subscriber may see.
    async fn read_session(&mut self) -> Result<(), Stop> {
        let Some(session) = &self.session else { return Ok(()) };
        let Some(names) = self.app.mcp_subscriptions(&self.caller, session.key).await? else {
            return Err(Stop::Ended(Ended::Over));
        };
        let mut watches = vec![Watch { watched: Watched::OwnList, name: String::new() }];
        for name in names {
            let Some(watched) = (session.read)(&name) else { continue };
            let watch = Watch { watched, name };
            if self.watches.contains(&watch) || self.app.may_watch(&self.caller, watched).await? {
                watches.push(watch);
            }
        }
        self.watches = watches;
        Ok(())
    }
}

/// Why something cannot be told now.
enum Stop {
    Ended(Ended),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
