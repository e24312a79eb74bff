//! Sessions of clients that still have them, each bound to the person who began it (T3).
//!
//! A session of somebody else does not exist. It is no authentication either: every request carries its own token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use picard_domain::UserId;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage, SubscriptionFilter};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use tokio_util::sync::CancellationToken;

/// How long a session lives unused: many clients do not begin a new one when theirs has ended (T4).
const KEEP_ALIVE: Duration = Duration::from_secs(24 * 60 * 60);
/// The most sessions that one person has.
const MOST_OF_A_PERSON: usize = 50;
/// The most sessions in all.
const MOST: usize = 2_000;

tokio::task_local! {
    // rmcp asks for a session by its id alone, and for a subscription's filter without saying who asks; the request's
    // task knows.
    static ASKED: Asked;
}

/// What is known of a request before rmcp gets it.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) person: UserId,
    /// What they may hear of, when they ask for that (T5).
    pub(crate) listen: Option<Arc<SubscriptionFilter>>,
}

/// Runs what answers a request.
pub(crate) async fn on_behalf_of<T>(asked: Asked, answer: impl Future<Output = T>) -> T {
    ASKED.scope(asked, answer).await
}

/// What the request in whose task this is called may hear of.
pub(crate) fn accepted() -> Option<Arc<SubscriptionFilter>> {
    ASKED.try_with(|asked| asked.listen.clone()).ok().flatten()
}

/// The sessions in this process.
pub(crate) struct Sessions {
    local: LocalSessionManager,
    owners: Mutex<Owners>,
    ending: CancellationToken,
}

impl Sessions {
    /// Streams that belong to no call end with `ending`.
    pub(crate) fn new(ending: CancellationToken) -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(KEEP_ALIVE);
        Self { local, owners: Mutex::default(), ending }
    }

    /// Whether the session exists and is this person's.
    pub(crate) fn belongs_to(&self, id: &str, person: UserId) -> bool {
        self.owners().find(id, person)
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until_the_end(
        &self,
        stream: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        let ending = self.ending.clone();
        stream.take_until(async move { ending.cancelled().await })
    }
}

impl SessionManager for Sessions {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.local.create_session().await?;
        let displaced = ASKED.try_with(|asked| self.owners().add(id.clone(), asked.person)).ok().flatten();
        if let Some(displaced) = displaced {
            self.local.close_session(&displaced).await?;
        }
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.local.initialize_session(id, message).await
    }

    /// rmcp asks this before everything that a request does with a session, but for closing it.
    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        let is_own = ASKED.try_with(|asked| self.owners().find(id, asked.person)).unwrap_or(false);
        Ok(is_own && self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        // Outside of a request it is the session's own end.
        let may_close = ASKED.try_with(|asked| self.owners().find(id, asked.person)).unwrap_or(true);
        if may_close {
            self.owners().remove(id);
            self.local.close_session(id).await?;
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.local.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        Ok(self.until_the_end(self.local.create_standalone_stream(id).await?))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        Ok(self.until_the_end(self.local.resume(id, last_event_id).await?))
    }
}

/// Whose a session is, and which was used when.
#[derive(Default)]
struct Owners {
    sessions: HashMap<SessionId, Owned>,
    uses: u64,
}

struct Owned {
    person: UserId,
    last_use: u64,
}

impl Owners {
    /// Adds a session. When there are too many, returns the longest unused one, which makes room and is forgotten:
    /// the person's own if they have too many, otherwise anybody's.
    fn add(&mut self, id: SessionId, person: UserId) -> Option<SessionId> {
        let of_person = self.sessions.values().filter(|owned| owned.person == person).count();
        let displaced = if of_person >= MOST_OF_A_PERSON {
            self.longest_unused(|owned| owned.person == person)
        } else if self.sessions.len() >= MOST {
            self.longest_unused(|_| true)
        } else {
            None
        };
        if let Some(displaced) = &displaced {
            self.sessions.remove(displaced);
        }
        self.uses += 1;
        self.sessions.insert(id, Owned { person, last_use: self.uses });
        displaced
    }

    /// Whether the session is this person's; if so it has just been used.
    fn find(&mut self, id: &str, person: UserId) -> bool {
        self.uses += 1;
        let uses = self.uses;
        let found = self.sessions.get_mut(id).filter(|owned| owned.person == person);
        found.map(|owned| owned.last_use = uses).is_some()
    }

    fn remove(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    fn longest_unused(&self, is_candidate: impl Fn(&Owned) -> bool) -> Option<SessionId> {
        let candidates = self.sessions.iter().filter(|(_, owned)| is_candidate(owned));
        candidates.min_by_key(|(_, owned)| owned.last_use).map(|(id, _)| id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(person: UserId) -> Asked {
        Asked { person, listen: None }
    }

    fn id(n: usize) -> SessionId {
        format!("session {n}").into()
    }

    #[test]
    fn a_session_is_found_by_its_owner_alone() {
        let (ada, bob) = (UserId::generate(), UserId::generate());
        let mut owners = Owners::default();
        owners.add(id(1), ada);

        assert!(owners.find("session 1", ada));
        assert!(!owners.find("session 1", bob), "SCO-09, T3");
        assert!(!owners.find("session 2", ada));

        owners.remove("session 1");
        assert!(!owners.find("session 1", ada));
    }

    #[test]
    fn the_longest_unused_session_of_a_person_makes_room() {
        let ada = UserId::generate();
        let mut owners = Owners::default();
        owners.add(id(1_000), UserId::generate());
        for n in 0..MOST_OF_A_PERSON {
            assert_eq!(owners.add(id(n), ada), None);
        }
        assert!(owners.find("session 0", ada));

        assert_eq!(owners.add(id(MOST_OF_A_PERSON), ada), Some(id(1)), "T4");

        assert!(!owners.find("session 1", ada));
        assert_eq!(owners.sessions.len(), MOST_OF_A_PERSON + 1);
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let mut owners = Owners::default();
        for n in 0..MOST {
            assert_eq!(owners.add(id(n), UserId::generate()), None);
        }

        assert_eq!(owners.add(id(MOST), UserId::generate()), Some(id(0)), "T4");

        assert_eq!(owners.sessions.len(), MOST);
    }

    #[tokio::test]
    async fn somebody_elses_session_cannot_be_seen_or_closed() {
        let (ada, bob) = (UserId::generate(), UserId::generate());
        let sessions = Sessions::new(CancellationToken::new());
        let (id, _transport) = on_behalf_of(asked(ada), sessions.create_session()).await.expect("a session");

        assert!(!on_behalf_of(asked(bob), sessions.has_session(&id)).await.expect("an answer"), "T3");
        assert!(!sessions.has_session(&id).await.expect("an answer"), "nobody asks");
        on_behalf_of(asked(bob), sessions.close_session(&id)).await.expect("an answer");
        assert!(on_behalf_of(asked(ada), sessions.has_session(&id)).await.expect("an answer"));

        on_behalf_of(asked(ada), sessions.close_session(&id)).await.expect("an answer");
        assert!(!on_behalf_of(asked(ada), sessions.has_session(&id)).await.expect("an answer"));
    }
}
