//! What servers share of sessions: who began them, which have ended, and what their clients said elsewhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use picard_app::{App, SessionNews};
use rmcp::transport::streamable_http_server::session::{SessionState, SessionStore, SessionStoreError};
use tokio_util::sync::CancellationToken;

use crate::sessions::{Sessions, asked, questions};

/// How long a session that is busy has to hear something.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where rmcp finds sessions that began elsewhere. It asks by their id alone: whose they are is found in the request's
/// task, and a session of somebody else is not there.
pub(crate) struct SharedSessions {
    app: App,
}

impl SharedSessions {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait]
impl SessionStore for SharedSessions {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let session = asked().filter(|asked| asked.names(id)).and_then(|asked| asked.session);
        let Some(session) = session else { return Ok(None) };
        Ok(Some(SessionState::new(serde_json::from_value(session.initialize.clone())?)))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let Some(asked) = asked() else { return Ok(()) };
        let initialize = serde_json::to_value(&state.initialize_params)?;
        Ok(self.app.begin_mcp_session(&asked.caller, id, &initialize).await?)
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        if let Some(asked) = asked() {
            self.app.end_mcp_session(&asked.caller, id).await?;
        }
        Ok(())
    }
}

/// Hears of sessions what other servers tell, until the token is cancelled.
pub(crate) async fn hear(sessions: Arc<Sessions>, until: CancellationToken) {
    let mut hearing = sessions.app.hear_sessions();
    loop {
        let told = tokio::select! {
            () = until.cancelled() => return,
            told = hearing.next() => told,
        };
        let Some((key, news)) = told else { return };
        let found = {
            let owners = sessions.owners();
            owners.by_key(key).and_then(|id| Some((owners.asker(&id)?, id)))
        };
        let Some((asker, id)) = found else { continue };
        let sessions = Arc::clone(&sessions);
        // Each in a task of its own: a session that is busy keeps no other waiting.
        match news {
            SessionNews::Ended => {
                tokio::spawn(async move { sessions.forget(&id).await });
            }
            SessionNews::Said { by, message } if by != sessions.server => {
                tokio::spawn(tokio::time::timeout(PATIENCE, async move {
                    questions::overheard(&sessions.local, &id, &message, &asker).await;
                }));
            }
            _ => {}
        }
    }
}
