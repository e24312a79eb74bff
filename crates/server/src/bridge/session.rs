//! The session of a client of revision 2025-11-25 or before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::{HeaderMap, HeaderValue};
use tokio::task::AbortHandle;

use super::message::Message;

/// The header that names a session.
const SESSION_ID: &str = "mcp-session-id";

/// What a request says of its session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SessionKey {
    /// The session, if the server has given one.
    pub(super) id: Option<String>,
    /// The revision that was negotiated.
    pub(super) version: Option<String>,
}

impl SessionKey {
    /// The headers that say it.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        put(&mut headers, "mcp-protocol-version", self.version.as_deref());
        put(&mut headers, SESSION_ID, self.id.as_deref());
        headers
    }
}

/// Sets a header, unless there is nothing to say, or nothing that a header can hold.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

/// The session that the server gives in its answer to `initialize`.
pub(super) fn given_id(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION_ID).and_then(|id| id.to_str().ok()).map(str::to_owned)
}

/// The current session, and what is needed to begin it again.
#[derive(Debug, Default)]
pub(super) struct Session(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    key: SessionKey,
    initialize: Option<Arc<Message>>,
    initialized: Option<Arc<Message>>,
    listening: Option<AbortHandle>,
}

impl Session {
    /// What requests say of it now.
    pub(super) fn key(&self) -> SessionKey {
        self.state().key.clone()
    }

    /// Whether the client has begun one, be it that the server keeps none.
    pub(super) fn is_begun(&self) -> bool {
        self.state().initialize.is_some()
    }

    /// Begins one: `initialize` was answered.
    pub(super) fn begin(&self, initialize: &Arc<Message>, id: Option<String>) {
        self.stop_listening();
        let mut state = self.state();
        state.key = SessionKey { id, version: None };
        state.initialize = Some(Arc::clone(initialize));
        state.initialized = None;
    }

    /// The revision that the answer to `initialize` names.
    pub(super) fn speak(&self, version: &str) {
        self.state().key.version = Some(version.to_owned());
    }

    /// The client has said that it is ready.
    pub(super) fn is_ready(&self, initialized: &Arc<Message>) {
        self.state().initialized = Some(Arc::clone(initialized));
    }

    /// The messages that begin the session again, unless it is another one by now.
    pub(super) fn beginning(&self, lost: &SessionKey) -> Option<(Arc<Message>, Option<Arc<Message>>)> {
        let state = self.state();
        let initialize = state.initialize.clone().filter(|_| state.key.id == lost.id)?;
        Some((initialize, state.initialized.clone()))
    }

    /// The server has begun it again.
    pub(super) fn replace_id(&self, id: Option<String>) -> SessionKey {
        let mut state = self.state();
        state.key.id = id;
        state.key.clone()
    }

    /// Remembers who listens to its stream, who ends with the session.
    pub(super) fn listen(&self, listening: AbortHandle) {
        let before = self.state().listening.replace(listening);
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Ends whoever listens.
    pub(super) fn stop_listening(&self) {
        let before = self.state().listening.take();
        if let Some(before) = before {
            before.abort();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: Option<&str>, version: Option<&str>) -> SessionKey {
        SessionKey { id: id.map(str::to_owned), version: version.map(str::to_owned) }
    }

    #[test]
    fn a_session_that_is_lost_is_begun_again_once() {
        let session = Session::default();
        assert!(!session.is_begun());
        assert!(session.beginning(&key(None, None)).is_none());

        session.begin(&Arc::default(), Some("1".to_owned()));
        session.speak("2025-11-25");
        session.is_ready(&Arc::default());
        let lost = session.key();
        assert_eq!(lost, key(Some("1"), Some("2025-11-25")));
        assert!(session.beginning(&lost).is_some_and(|(_, initialized)| initialized.is_some()));

        assert_eq!(session.replace_id(Some("2".to_owned())), key(Some("2"), Some("2025-11-25")));
        assert!(session.beginning(&lost).is_none(), "somebody else was faster");
    }

    #[test]
    fn what_no_header_can_hold_is_left_out() {
        assert_eq!(key(Some("a\nb"), None).headers(), HeaderMap::new());
        assert_eq!(given_id(&key(Some("a"), Some("2025-06-18")).headers()).as_deref(), Some("a"));
    }
}
