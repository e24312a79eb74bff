//! Whoever wants to hear of changes hears of them, whichever server made them: changes are collected for a moment, told
//! to all servers, and passed on there to those who may see them.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Error, Memory, MemoryId, Permission, UserId};
use picard_storage::changes::{ChangeListener, Heard};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::mcp_sessions::OfSession;
use crate::patience::within;

/// How long changes are collected before they are told.
const COLLECT: Duration = Duration::from_millis(50);
/// The most changes that are told at once; of more, only whose they are is told.
const MOST_TOLD: usize = 200;
/// The longest that telling may take.
const LONGEST_TELL: Duration = Duration::from_secs(10);
/// How long to wait when the database is away.
const PAUSE: Duration = Duration::from_secs(1);
/// How far a subscriber may fall behind before they are told that they have missed something.
const MOST_BEHIND: usize = 1_024;

/// A memory, or several of one person, have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) owner: UserId,
    /// `None`: several, or new ones that nobody can know yet.
    pub(crate) memory: Option<MemoryId>,
    /// Whether everybody could see one of them, before or after.
    pub(crate) is_open: bool,
}

impl std::fmt::Display for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = self.memory.map_or_else(|| "*".to_owned(), |id| id.to_string());
        write!(formatter, "{} {memory} {}", self.owner, u8::from(self.is_open))
    }
}

impl FromStr for Change {
    type Err = Error;

    fn from_str(told: &str) -> Result<Self, Error> {
        let wrong = || Error::internal("a change was told in another form");
        let mut words = told.split(' ');
        let (owner, memory, is_open) =
            (words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
        let memory = if memory == "*" { None } else { Some(memory.parse().map_err(|_| wrong())?) };
        Ok(Self { owner: owner.parse().map_err(|_| wrong())?, memory, is_open: is_open == "1" })
    }
}

/// What subscribers are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Changed(Change),
    /// Something about one client's session.
    Session(Arc<OfSession>),
    /// Anything may have changed.
    Missed,
}

/// Changes on their way.
pub(crate) struct Changes {
    waiting: Mutex<Vec<Change>>,
    wake: Notify,
    pub(crate) news: broadcast::Sender<News>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { waiting: Mutex::default(), wake: Notify::new(), news: broadcast::channel(MOST_BEHIND).0 }
    }
}

impl App {
    /// Notes that a memory was stored; what was shared by name is found out by who asks.
    pub(crate) fn note_new(&self, owner: UserId, memories: &[Memory]) {
        let is_open = memories.iter().any(|memory| memory.permission == Permission::Public);
        if let [memory] = memories {
            self.note_change(Change { owner, memory: Some(memory.id), is_open });
        } else if !memories.is_empty() {
            self.note_change(Change { owner, memory: None, is_open });
        }
    }

    /// Notes that a memory was changed or deleted; without `before` nothing was, because the call had been made before.
    pub(crate) fn note_changed(&self, owner: UserId, id: MemoryId, before: Option<Permission>, after: Option<Permission>) {
        if before.is_some() {
            let is_open = [before, after].contains(&Some(Permission::Public));
            self.note_change(Change { owner, memory: Some(id), is_open });
        }
    }

    /// Notes a change, to be told in a moment.
    pub(crate) fn note_change(&self, change: Change) {
        self.0.changes.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        self.0.changes.wake.notify_one();
    }

    async fn tell_changes(&self) -> Result<(), Error> {
        let changes = std::mem::take(&mut *self.0.changes.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let told = merged(&changes);
        if told.is_empty() {
            return Ok(());
        }
        let outcome = within(LONGEST_TELL, self.0.store.tell_changes(&told)).await;
        if outcome.is_err() {
            self.0.changes.waiting.lock().unwrap_or_else(PoisonError::into_inner).splice(0..0, changes);
        }
        outcome
    }
}

/// Each change once; of very many, one for each person.
fn merged(changes: &[Change]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for change in changes {
        let change = if changes.len() > MOST_TOLD { Change { memory: None, ..*change } } else { *change };
        let text = change.to_string();
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told
}

/// Tells changes until the token is cancelled.
pub fn tell_changes(app: App, stop: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = app.0.changes.wake.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(COLLECT) => {}
            }
            if let Err(error) = app.tell_changes().await {
                tracing::warn!(cause = %error, "Changes wait for the database to be told.");
                tokio::time::sleep(PAUSE.min(COLLECT * 20)).await;
                app.0.changes.wake.notify_one();
            }
        }
    })
}

/// Hears changes of all servers.
pub struct Hearing {
    app: App,
    listener: ChangeListener,
}

impl Hearing {
    /// Begins to hear.
    ///
    /// # Errors
    /// As every statement.
    pub fn begin(app: &App) -> BoxFuture<'_, Result<Self, Error>> {
        Box::pin(async move { Ok(Self { app: app.clone(), listener: app.0.store.hear_changes().await? }) })
    }

    /// Begins anew after a crash, however long that takes, and passes on what is heard until the token is cancelled.
    pub fn resume(app: App, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                match Self::begin(&app).await {
                    Ok(hearing) => {
                        let _ = app.0.changes.news.send(News::Missed);
                        return hearing.run(stop).await;
                    }
                    Err(error) => tracing::warn!(cause = %error, "Changes of other servers are not heard yet."),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        })
    }

    /// Passes on what is heard until the token is cancelled.
    pub fn run(mut self, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let error = tokio::select! {
                    () = stop.cancelled() => return,
                    error = self.hear() => error,
                };
                tracing::warn!(cause = %error, "Changes of other servers are not heard until the database is back.");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.begin_again() => {}
                }
            }
        })
    }

    async fn hear(&mut self) -> Error {
        loop {
            let news = match self.listener.next().await {
                Ok(Heard::Gap) => News::Missed,
                Ok(Heard::Told(told)) => told.parse().map_or(News::Missed, News::Changed),
                Ok(Heard::OfSession(told)) => match OfSession::parse(&told) {
                    Some(told) => News::Session(Arc::new(told)),
                    None => continue,
                },
                Err(error) => return error,
            };
            // Nobody subscribes: nobody is told.
            let _ = self.app.0.changes.news.send(news);
        }
    }

    async fn begin_again(&mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Ok(listener) = self.app.0.store.hear_changes().await {
                self.listener = listener;
                let _ = self.app.0.changes.news.send(News::Missed);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_told() {
        let owner = UserId::generate();
        for change in
            [Change { owner, memory: None, is_open: true }, Change { owner, memory: Some(MemoryId::generate()), is_open: false }]
        {
            assert_eq!(change.to_string().parse::<Change>().ok(), Some(change));
        }
        for wrong in ["", "x * 1", &format!("{owner} x 1"), &format!("{owner} *")] {
            assert!(wrong.parse::<Change>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn very_many_changes_become_one_for_each_person() {
        let owner = UserId::generate();
        let changes: Vec<Change> =
            (0..=MOST_TOLD).map(|_| Change { owner, memory: Some(MemoryId::generate()), is_open: false }).collect();
        assert_eq!(merged(&changes), [format!("{owner} * 0")]);
        assert_eq!(merged(&[changes[0], changes[0], changes[1]]).len(), 2);
    }
}
