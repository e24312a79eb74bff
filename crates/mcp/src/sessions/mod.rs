//! Sessions of clients that still have them, each bound to the person who began it (T3).
//!
//! A session of somebody else does not exist. It is no authentication either: every request carries its own token.
//! What sessions there are is in the database, so that every server goes on with them; what a server is doing in one is
//! in its memory, made anew from what the client said when it began.

mod owners;
mod questions;
mod shared;
mod stream;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use picard_app::{App, SessionFound};
use picard_domain::{Caller, Error};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage, SubscriptionFilter};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, LocalSessionManagerError};
use rmcp::transport::streamable_http_server::session::{RestoreOutcome, ServerSseMessage, SessionId, SessionManager};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::sessions::owners::Owners;
pub(crate) use crate::sessions::shared::SharedSessions;
pub(crate) use crate::sessions::shared::hear;

/// How long a session lives unused: many clients do not begin a new one when theirs has ended (T4).
const KEEP_ALIVE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many sessions can begin here at the same time that began elsewhere.
const TURNS: usize = 64;

tokio::task_local! {
    // rmcp asks for a session by its id alone, and for a subscription's filter without saying who asks; the request's
    // task knows.
    static ASKED: Asked;
}

/// What is known of a request before rmcp gets it.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) caller: Caller,
    /// What they may hear of, when they ask for that (T5).
    pub(crate) listen: Option<Arc<SubscriptionFilter>>,
    /// Their session, when they name one that is theirs.
    pub(crate) session: Option<Arc<OpenSession>>,
}

/// A session that holds.
pub(crate) struct OpenSession {
    /// Its id.
    pub(crate) id: SessionId,
    /// What its client said when it began.
    initialize: Value,
}

impl Asked {
    fn names(&self, id: &str) -> bool {
        self.session.as_ref().is_some_and(|session| *session.id == *id)
    }
}

/// Runs what answers a request.
pub(crate) async fn on_behalf_of<T>(asked: Asked, answer: impl Future<Output = T>) -> T {
    ASKED.scope(asked, answer).await
}

/// What the request in whose task this is called may hear of.
pub(crate) fn accepted() -> Option<Arc<SubscriptionFilter>> {
    ASKED.try_with(|asked| asked.listen.clone()).ok().flatten()
}

fn asked() -> Option<Asked> {
    ASKED.try_with(Clone::clone).ok()
}

/// The sessions that this process serves.
pub(crate) struct Sessions {
    app: App,
    /// This process among all servers.
    server: String,
    local: LocalSessionManager,
    owners: Mutex<Owners>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    ending: CancellationToken,
}

impl Sessions {
    /// Streams that belong to no call end with `ending`.
    pub(crate) fn new(app: App, ending: CancellationToken) -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(KEEP_ALIVE);
        let turns = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self { app, server: questions::new_server(), local, owners: Mutex::default(), turns, ending }
    }

    /// The caller's session of this id.
    ///
    /// # Errors
    /// As every statement.
    pub(crate) async fn open(&self, caller: &Caller, id: &str) -> Result<Option<Arc<OpenSession>>, Error> {
        match self.app.mcp_session(caller, id).await? {
            SessionFound::Own(initialize) => Ok(Some(Arc::new(OpenSession { id: id.into(), initialize }))),
            SessionFound::Foreign => Ok(None),
            SessionFound::None => {
                self.forget(&id.into()).await;
                Ok(None)
            }
        }
    }

    /// Waits for the turn to go on here with a session that is not here yet; `None` when it is. rmcp takes two requests
    /// that do so at the same time for a mistake of ours.
    pub(crate) async fn turn(&self, session: &OpenSession) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.is_here(&session.id).await {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        session.id.hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default();
        Some(self.turns[turn].lock().await)
    }

    async fn is_here(&self, id: &SessionId) -> bool {
        self.local.has_session(id).await.unwrap_or(false)
    }

    /// Ends what is here of a session.
    async fn forget(&self, id: &SessionId) {
        self.owners().remove(id);
        if let Err(error) = self.local.close_session(id).await {
            tracing::debug!(cause = %error, "A session did not end.");
        }
    }

    async fn own(&self, id: SessionId, asked: &Asked) -> Result<(), LocalSessionManagerError> {
        let displaced = self.owners().add(id, asked.caller.user_id, &self.server);
        match displaced {
            Some(displaced) => self.local.close_session(&displaced).await,
            None => Ok(()),
        }
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request in whose task this is called may use the session that is here.
    fn is_own(&self, id: &str) -> bool {
        asked().is_some_and(|asked| asked.names(id) && self.owners().find(id, asked.caller.user_id))
    }

    /// What the ids of questions begin with that are asked in this session here.
    fn asker(&self, id: &SessionId) -> Result<Arc<str>, LocalSessionManagerError> {
        self.owners().asker(id).ok_or_else(|| LocalSessionManagerError::SessionNotFound(id.clone()))
    }

    /// A stream of notifications: what rmcp tells in it, and what has changed.
    async fn standalone(
        &self,
        id: &SessionId,
        local: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
        is_resumed: bool,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        let changes = match asked() {
            Some(asked) => stream::changes(&self.app, &asked.caller, id, is_resumed, self.ending.clone()).await,
            None => None,
        };
        let ending = self.ending.clone();
        stream::joined(local, changes).take_until(async move { ending.cancelled().await })
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.local.create_session().await?;
        if let Some(asked) = asked() {
            self.own(id.clone(), &asked).await?;
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
        Ok(self.is_own(id) && self.is_here(id).await)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        // Outside of a request it is the session's own end, here: elsewhere it goes on.
        let may_close = asked().is_none() || self.is_own(id);
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
        let asker = self.asker(id)?;
        let stream = self.local.create_stream(id, message).await?;
        Ok(stream.map(move |event| questions::outgoing(event, &asker)))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        let asker = self.asker(id)?;
        let elsewhere = questions::for_others(&message, &asker);
        if let Some(message) = questions::for_here(message, &asker) {
            self.local.accept_message(id, message).await?;
        }
        if let (Some(message), Some(asked)) = (elsewhere, asked())
            && let Err(error) = self.app.pass_on(&asked.caller, id, &self.server, message).await
        {
            tracing::warn!(cause = %error, "What a client said was not passed on to the other servers.");
        }
        Ok(())
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let asker = self.asker(id)?;
        let local = self.local.create_standalone_stream(id).await?.map(move |event| questions::outgoing(event, &asker));
        Ok(self.standalone(id, local, false).await)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let asker = self.asker(id)?;
        // The stream of a call has two parts in its ids; another server's cannot be gone on with.
        let is_of_call = last_event_id.contains('/');
        let local = self.local.resume(id, last_event_id).await?.map(move |event| questions::outgoing(event, &asker));
        if is_of_call {
            let ending = self.ending.clone();
            return Ok(local.take_until(async move { ending.cancelled().await }).left_stream());
        }
        Ok(self.standalone(id, local, true).await.right_stream())
    }

    async fn restore_session(&self, id: SessionId) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        let Some(asked) = asked().filter(|asked| asked.names(&id)) else {
            return Ok(RestoreOutcome::NotSupported);
        };
        let outcome = self.local.restore_session(id.clone()).await?;
        if matches!(outcome, RestoreOutcome::Restored(_)) {
            self.own(id, &asked).await?;
        }
        Ok(outcome)
    }
}
