//! Sessions of MCP clients of the revisions before 2026-07-28: whoever has begun one goes on with it at every server.

use std::fmt::{self, Write};

use futures_util::future::BoxFuture;
use picard_crypto::hash_token;
use picard_domain::{Caller, Error, Scope};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::App;
use crate::changes::News;
use crate::patience::{LONGEST_LOOK, within};

/// PostgreSQL tells less than 8,000 bytes at once.
const MOST_SAID: usize = 7_500;

/// What a session is known by: nobody can use it who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// The key of the session with this id.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self(hash_token(id))
    }

    fn parse(hex: &str) -> Option<Self> {
        let mut key = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// What servers tell each other of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionNews {
    /// It has ended.
    Ended,
    /// It subscribed to something, or to something no more.
    Subscriptions,
    /// A stream of this name tells of changes from now on: no other does.
    Stream(String),
    /// Its client has sent a message to the server of this name that may be for another one.
    Said {
        /// Who has heard it already.
        by: String,
        /// The message, JSON.
        message: String,
    },
}

impl fmt::Display for SessionNews {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => formatter.write_str("ended"),
            Self::Subscriptions => formatter.write_str("subscriptions"),
            Self::Stream(name) => write!(formatter, "stream {name}"),
            Self::Said { by, message } => write!(formatter, "said {by} {message}"),
        }
    }
}

/// Something told of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfSession {
    pub(crate) session: SessionKey,
    pub(crate) news: SessionNews,
}

impl OfSession {
    /// Reads what was told; `None` for what a later version may tell.
    pub(crate) fn parse(told: &str) -> Option<Self> {
        let (session, rest) = told.split_once(' ')?;
        let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let news = match kind {
            "ended" => SessionNews::Ended,
            "subscriptions" => SessionNews::Subscriptions,
            "stream" => SessionNews::Stream(rest.to_owned()),
            "said" => {
                let (by, message) = rest.split_once(' ')?;
                SessionNews::Said { by: by.to_owned(), message: message.to_owned() }
            }
            _ => return None,
        };
        Some(Self { session: SessionKey::parse(session)?, news })
    }

    fn told(session: SessionKey, news: &SessionNews) -> String {
        let mut told = session.to_string();
        // Writing to a string cannot fail.
        let _ = write!(told, " {news}");
        told
    }
}

/// Whose a session is.
#[derive(Debug, Clone)]
pub enum SessionFound {
    /// The caller's; what its client said of itself when it began.
    Own(Value),
    /// Somebody else's.
    Foreign,
    /// Nobody's: it has ended or never begun.
    None,
}

/// Hears what is told of sessions.
pub struct SessionHearing(broadcast::Receiver<News>);

impl SessionHearing {
    /// Waits for what is told next; `None` when nothing will be.
    pub async fn next(&mut self) -> Option<(SessionKey, SessionNews)> {
        loop {
            match self.0.recv().await {
                Ok(News::Session(told)) => return Some((told.session, told.news.clone())),
                // Who has missed that a session ended hears of it when it is used.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl App {
    /// Begins to hear what is told of sessions.
    #[must_use]
    pub fn hear_sessions(&self) -> SessionHearing {
        SessionHearing(self.0.changes.news.subscribe())
    }

    /// Stores a session that the caller has begun, so that it goes on at every server.
    ///
    /// # Errors
    /// As every statement.
    pub fn begin_mcp_session<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        initialize: &'a Value,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            self.0.store.begin_mcp_session(&SessionKey::of(id).0, caller.user_id, initialize).await
        }))
    }

    /// Looks up a session.
    ///
    /// # Errors
    /// As every statement.
    pub fn mcp_session<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<SessionFound, Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            let found = self.0.store.mcp_session(&SessionKey::of(id).0, caller.user_id).await?;
            Ok(match found {
                None => SessionFound::None,
                Some(session) if session.user_id == caller.user_id => SessionFound::Own(session.initialize),
                Some(_) => SessionFound::Foreign,
            })
        }))
    }

    /// Ends a session of the caller at every server.
    ///
    /// # Errors
    /// As every statement.
    pub fn end_mcp_session<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            let session = SessionKey::of(id);
            let news = OfSession::told(session, &SessionNews::Ended);
            self.0.store.end_mcp_session(&session.0, caller.user_id, &news).await
        }))
    }

    /// Adds a resource to what the caller's session subscribes to. That the caller may watch it is asked elsewhere.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Conflict`] with too many; as every statement.
    pub fn add_mcp_subscription<'a>(&'a self, caller: &'a Caller, id: &'a str, uri: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            caller.require(Scope::Read)?;
            let session = SessionKey::of(id);
            let news = OfSession::told(session, &SessionNews::Subscriptions);
            self.0.store.add_mcp_subscription(&session.0, caller.user_id, uri, &news).await
        }))
    }

    /// Removes a resource from what the caller's session subscribes to, if it is there.
    ///
    /// # Errors
    /// As every statement.
    pub fn remove_mcp_subscription<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        uri: &'a str,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            let session = SessionKey::of(id);
            let news = OfSession::told(session, &SessionNews::Subscriptions);
            self.0.store.remove_mcp_subscription(&session.0, caller.user_id, uri, &news).await
        }))
    }

    /// Passes on what a client has said in its session to the servers that have not heard it: one of them may be waiting
    /// for it. What is longer than an answer to a server's question can be is not passed on.
    ///
    /// # Errors
    /// [`Error::RateLimited`]; as every statement.
    pub fn pass_on<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        by: &'a str,
        message: String,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            if message.len() > MOST_SAID {
                return Ok(());
            }
            self.count_read(caller).await?;
            let told = OfSession::told(SessionKey::of(id), &SessionNews::Said { by: by.to_owned(), message });
            self.0.store.tell_of_mcp_session(&told).await
        }))
    }

    /// Says that a stream tells of changes in a session from now on.
    pub(crate) async fn announce_stream(&self, session: SessionKey, name: &str) -> Result<(), Error> {
        let told = OfSession::told(session, &SessionNews::Stream(name.to_owned()));
        self.0.store.tell_of_mcp_session(&told).await
    }

    /// What a session of the caller subscribes to; `None` when it has ended.
    pub(crate) async fn mcp_subscriptions(&self, caller: &Caller, session: SessionKey) -> Result<Option<Vec<String>>, Error> {
        self.0.store.mcp_subscriptions(&session.0, caller.user_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_as_it_was_meant() {
        let session = SessionKey::of("id");
        for news in [
            SessionNews::Ended,
            SessionNews::Subscriptions,
            SessionNews::Stream("a".to_owned()),
            SessionNews::Said { by: "b".to_owned(), message: r#"{"a": "b  c"}"#.to_owned() },
        ] {
            let told = OfSession::told(session, &news);
            assert_eq!(OfSession::parse(&told), Some(OfSession { session, news }), "{told}");
        }
        for wrong in ["", "x ended", &format!("{session} other"), &format!("{session} said x")] {
            assert_eq!(OfSession::parse(wrong), None, "{wrong}");
        }
    }
}
