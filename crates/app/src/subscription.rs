//! One subscriber: hears of changes as long as they may, and only of what they may see.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Error, MemoryId, Reach, Scope, UserId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::App;
use crate::changes::{Change, News};

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

/// Hears of changes; it ends when it is dropped.
pub struct Subscription {
    app: App,
    caller: Caller,
    watched: Vec<Watched>,
    news: broadcast::Receiver<News>,
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
        Box::pin(async move {
            caller.require(Scope::Read)?;
            match watched {
                Watched::OwnList | Watched::MemoriesOf(_) => Ok(true),
                Watched::Memory(id) => self.sees(caller, id).await,
            }
        })
    }

    /// Begins to hear of changes.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Conflict`] with too many open at once.
    pub fn subscribe(&self, caller: &Caller, watched: Vec<Watched>) -> Result<Subscription, Error> {
        caller.require(Scope::Read)?;
        if !self.0.subscriptions.add(caller.user_id) {
            return Err(Error::Conflict(format!("Only {MOST_OF_A_PERSON} subscriptions may be open at once: close one first.")));
        }
        Ok(Subscription { app: self.clone(), caller: caller.clone(), watched, news: self.0.changes.news.subscribe() })
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
    /// Waits for changes; `None` when the subscriber's token holds no more.
    pub async fn next(&mut self) -> Option<Vec<Watched>> {
        loop {
            let due = match tokio::time::timeout(CHECK, self.news.recv()).await {
                Err(_) => Vec::new(),
                Ok(Err(RecvError::Closed)) => return None,
                Ok(first) => self.collect(first).await,
            };
            match self.told(&due).await {
                Ok(None) => return None,
                Ok(Some(told)) if told.is_empty() => {}
                Ok(Some(told)) => return Some(told),
                // What could not be looked up is made up for by telling everything, as soon as it can be.
                Err(error) => {
                    tracing::warn!(cause = %error, "A subscriber waits for the database.");
                    tokio::time::sleep(CHECK / 30).await;
                    if let Ok(Some(all)) = self.told(&[News::Missed]).await {
                        return Some(all);
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

    /// What of the news the subscriber is told; `None` when their token holds no more.
    async fn told(&mut self, due: &[News]) -> Result<Option<Vec<Watched>>, Error> {
        if !self.app.is_still_welcome(&self.caller).await? {
            return Ok(None);
        }
        let mut told: Vec<Watched> = Vec::new();
        for news in due {
            for watched in self.watched.clone() {
                if !told.contains(&watched) && self.concerns(watched, *news).await? {
                    told.push(watched);
                }
            }
        }
        // A memory that has gone out of sight is told of once, and never again.
        for watched in &told {
            if let Watched::Memory(id) = *watched
                && !self.app.sees(&self.caller, id).await?
            {
                self.watched.retain(|other| other != watched);
            }
        }
        Ok(Some(told))
    }

    async fn concerns(&self, watched: Watched, news: News) -> Result<bool, Error> {
        let News::Changed(Change { owner, memory, is_open }) = news else {
            return Ok(true);
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
}
