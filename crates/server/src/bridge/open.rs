//! Requests that are not answered yet, so that they can be cancelled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::message::Message;

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct OpenRequests(Mutex<HashMap<String, Entry>>);

#[derive(Debug)]
struct Entry {
    stop: CancellationToken,
    is_stateless: bool,
    is_subscription: bool,
}

impl OpenRequests {
    /// Notes a message; it counts as open until what this gives back is dropped.
    pub(super) fn begin(self: &Arc<Self>, message: &Message) -> OpenRequest {
        let stop = CancellationToken::new();
        let key = message.key();
        if let Some(key) = key.clone() {
            let is_subscription = message.is("subscriptions/listen");
            self.entries().insert(key, Entry { stop: stop.clone(), is_stateless: message.is_stateless(), is_subscription });
        }
        OpenRequest { all: Arc::clone(self), key, stop }
    }

    /// Whether a request is of revision 2026-07-28, where it is cancelled by dropping its connection; `None` if there
    /// is no such request.
    pub(super) fn is_stateless(&self, key: &str) -> Option<bool> {
        self.entries().get(key).map(|entry| entry.is_stateless)
    }

    /// Ends a request: nobody waits for its answer any more.
    pub(super) fn stop(&self, key: &str) {
        if let Some(entry) = self.entries().get(key) {
            entry.stop.cancel();
        }
    }

    /// Ends all requests that would never end by themselves.
    pub(super) fn stop_subscriptions(&self) {
        for entry in self.entries().values().filter(|entry| entry.is_subscription) {
            entry.stop.cancel();
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message under way.
#[derive(Debug)]
pub(super) struct OpenRequest {
    all: Arc<OpenRequests>,
    key: Option<String>,
    stop: CancellationToken,
}

impl OpenRequest {
    /// Resolves when nobody waits for the answer any more.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.all.entries().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::read(text.as_bytes().to_vec())
    }

    #[test]
    fn a_request_can_be_stopped_while_it_is_open() {
        let open = Arc::new(OpenRequests::default());
        let old = open.begin(&message(r#"{"id":1,"method":"ping"}"#));
        let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        let new = open.begin(&message(&format!(r#"{{"id":"1","method":"subscriptions/listen","params":{meta}}}"#)));

        assert_eq!((open.is_stateless("1"), open.is_stateless("\"1\""), open.is_stateless("2")), (Some(false), Some(true), None));

        open.stop_subscriptions();
        assert!(new.stop.is_cancelled() && !old.stop.is_cancelled());
        open.stop("1");
        assert!(old.stop.is_cancelled());

        drop(old);
        assert_eq!(open.is_stateless("1"), None);
    }

    #[test]
    fn a_notification_is_never_open() {
        let open = Arc::new(OpenRequests::default());
        let _notification = open.begin(&message(r#"{"method":"notifications/initialized"}"#));

        assert!(open.entries().is_empty());
    }
}
