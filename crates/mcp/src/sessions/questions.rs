//! Questions of a server to its client within a session. Their ids name who asks: the client may answer any server, and
//! an answer to one question must never pass for another's.

use std::sync::Arc;

use rmcp::model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage, ServerNotification};
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// What no other server calls itself.
pub(super) fn new_server() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A message on its way to the client: its id says who asks.
pub(super) fn outgoing(mut event: ServerSseMessage, asker: &str) -> ServerSseMessage {
    let changed = match event.message.as_deref() {
        Some(ServerJsonRpcMessage::Request(request)) => {
            let mut request = request.clone();
            request.id = named(&request.id, asker);
            Some(ServerJsonRpcMessage::Request(request))
        }
        Some(ServerJsonRpcMessage::Notification(notification)) => {
            let mut notification = notification.clone();
            match &mut notification.notification {
                ServerNotification::CancelledNotification(cancelled) => {
                    cancelled.params.request_id = cancelled.params.request_id.as_ref().map(|id| named(id, asker));
                    Some(ServerJsonRpcMessage::Notification(notification))
                }
                _ => None,
            }
        }
        _ => None,
    };
    if let Some(message) = changed {
        event.message = Some(Arc::new(message));
    }
    event
}

/// A message of the client as rmcp expects it here; `None` for an answer to a question that was not asked here.
pub(super) fn for_here(message: ClientJsonRpcMessage, asker: &str) -> Option<ClientJsonRpcMessage> {
    match message {
        ClientJsonRpcMessage::Response(mut response) => {
            response.id = unnamed(&response.id, asker)?;
            Some(ClientJsonRpcMessage::Response(response))
        }
        ClientJsonRpcMessage::Error(mut error) => {
            error.id = Some(unnamed(error.id.as_ref()?, asker)?);
            Some(ClientJsonRpcMessage::Error(error))
        }
        other => Some(other),
    }
}

/// What of a message other servers should hear: an answer to a question that was not asked here, and that a call is
/// cancelled, which may run anywhere.
pub(super) fn for_others(message: &ClientJsonRpcMessage, asker: &str) -> Option<String> {
    let is_for_others = match message {
        ClientJsonRpcMessage::Response(response) => is_of_another(&response.id, asker),
        ClientJsonRpcMessage::Error(error) => error.id.as_ref().is_some_and(|id| is_of_another(id, asker)),
        ClientJsonRpcMessage::Notification(notification) => {
            matches!(notification.notification, ClientNotification::CancelledNotification(_))
        }
        ClientJsonRpcMessage::Request(_) => false,
    };
    is_for_others.then(|| serde_json::to_string(message).ok()).flatten()
}

/// Hears what a client has said to another server.
pub(super) async fn overheard(local: &LocalSessionManager, id: &Arc<str>, message: &str, asker: &str) {
    let message = serde_json::from_str::<ClientJsonRpcMessage>(message).ok().and_then(|message| for_here(message, asker));
    if let Some(message) = message
        && let Err(error) = local.accept_message(id, message).await
    {
        tracing::debug!(cause = %error, "A session has ended before it heard what its client said.");
    }
}

fn named(id: &RequestId, asker: &str) -> RequestId {
    RequestId::String(format!("{asker}{id}").into())
}

fn unnamed(id: &RequestId, asker: &str) -> Option<RequestId> {
    match id {
        RequestId::String(text) => text.strip_prefix(asker)?.parse().ok().map(RequestId::Number),
        RequestId::Number(_) => None,
    }
}

fn is_of_another(id: &RequestId, asker: &str) -> bool {
    match id {
        RequestId::String(text) => text.contains(':') && !text.starts_with(asker),
        RequestId::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(id: &str) -> ClientJsonRpcMessage {
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "confirm": true } } });
        serde_json::from_value(answer).expect("a message")
    }

    #[test]
    fn an_answer_is_for_whoever_asked() {
        let question = json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" });
        let event = ServerSseMessage::from_message(serde_json::from_value(question).expect("a message"));

        let event = outgoing(event, "a:1:");

        let id = serde_json::to_value(event.message.expect("a message")).expect("JSON")["id"].clone();
        assert_eq!(id, "a:1:3");
        assert!(
            matches!(for_here(answer("a:1:3"), "a:1:"), Some(ClientJsonRpcMessage::Response(response)) if response.id == RequestId::Number(3))
        );
        assert_eq!(for_others(&answer("a:1:3"), "a:1:"), None);
        for foreign in ["b:1:3", "a:2:3", "a:1:x", "a:11:3"] {
            assert!(for_here(answer(foreign), "a:1:").is_none(), "{foreign}");
        }
        assert!(for_others(&answer("a:2:3"), "a:1:").is_some_and(|text| text.contains("a:2:3")));
        assert_eq!(for_others(&answer("3"), "a:1:"), None, "no server asked that");
    }

    #[test]
    fn every_server_hears_of_a_cancellation() {
        let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
        let message: ClientJsonRpcMessage = serde_json::from_value(cancelled).expect("a message");

        assert!(for_others(&message, "a:1:").is_some_and(|text| text.contains('7')));
        assert!(for_here(message, "a:1:").is_some());
    }
}
