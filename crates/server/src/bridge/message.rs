//! A message of the client, and the headers that it travels with.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::session::{SessionKey, put};

/// Where requests of revision 2026-07-28 say their revision.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Where they say who the client is.
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
/// How a header's value begins and ends that cannot stand there as it is.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// A line of the client: a request, a notification, an answer to the server, or nothing of the kind.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The line as it came.
    pub(super) text: Bytes,
    /// The request's id; only requests have one here.
    pub(super) id: Option<Value>,
    /// Whether it is an object: otherwise the server says what is wrong with it, though it has no id.
    pub(super) is_object: bool,
    method: Option<String>,
    name: Option<String>,
    version: Option<String>,
    cancelled: Option<String>,
    program: Option<String>,
}

impl Message {
    /// Reads a line. What is wrong with it is for the server to say.
    pub(super) fn read(line: Vec<u8>) -> Self {
        let value: Value = serde_json::from_slice(&line).unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let method = text(value.get("method"));
        let params = value.get("params").unwrap_or(&Value::Null);
        let meta = params.get("_meta").unwrap_or(&Value::Null);
        let client = params.get("clientInfo").or_else(|| meta.get(CLIENT));
        let is_cancellation = method.as_deref() == Some("notifications/cancelled");
        Self {
            id: value.get("id").filter(|id| method.is_some() && (id.is_string() || id.is_number())).cloned(),
            is_object: value.is_object(),
            name: method.as_deref().and_then(name_member).and_then(|member| text(params.get(member))),
            version: text(meta.get(VERSION)),
            cancelled: params.get("requestId").filter(|_| is_cancellation).map(Value::to_string),
            program: client.and_then(|client| text(client.get("title")).or_else(|| text(client.get("name")))),
            method,
            text: line.into(),
        }
    }

    /// Whether it is this request or notification.
    pub(super) fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// Whether nothing may overtake it.
    pub(super) fn opens_session(&self) -> bool {
        self.is("initialize") || self.is("notifications/initialized")
    }

    /// Whether it needs no session: since revision 2026-07-28 every request says all that is to be known.
    pub(super) fn is_stateless(&self) -> bool {
        self.version.is_some()
    }

    /// What open requests are told apart by.
    pub(super) fn key(&self) -> Option<String> {
        self.id.as_ref().map(Value::to_string)
    }

    /// The key of the request that is cancelled by it.
    pub(super) fn cancelled(&self) -> Option<&str> {
        self.cancelled.as_deref()
    }

    /// The program that sends it, if it says so.
    pub(super) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// Whether `message`, which the server sent, is the answer to it.
    pub(super) fn is_answered_by(&self, message: &[u8]) -> bool {
        let message: Value = serde_json::from_slice(message).unwrap_or_default();
        self.id.is_some() && message.get("id") == self.id.as_ref() && message.get("method").is_none()
    }

    /// What it is sent with. `current` is the session, which requests without one do not name.
    pub(super) fn session(&self, current: SessionKey) -> SessionKey {
        if self.is_stateless() {
            SessionKey { id: None, version: self.version.clone() }
        } else if self.is("initialize") {
            SessionKey::default()
        } else {
            current
        }
    }

    /// The headers that it travels with.
    pub(super) fn headers(&self, session: &SessionKey) -> HeaderMap {
        let mut headers = session.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        put(&mut headers, "mcp-method", self.method.as_deref());
        put(&mut headers, "mcp-name", self.name.as_deref().map(header_value).as_deref());
        headers
    }
}

/// Which parameter of a method goes into the `Mcp-Name` header.
fn name_member(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// A text as a header can hold it.
fn header_value(text: &str) -> String {
    let is_plain = text.chars().all(|character| matches!(character, ' '..='~')) && text.trim_matches(' ') == text;
    let looks_encoded = text.starts_with(ENCODED.0) && text.ends_with(ENCODED.1);
    if is_plain && !looks_encoded { text.to_owned() } else { format!("{}{}{}", ENCODED.0, STANDARD.encode(text), ENCODED.1) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(value: &Value) -> Message {
        Message::read(value.to_string().into_bytes())
    }

    fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name).map(|value| value.to_str().expect("a text"))
    }

    fn session() -> SessionKey {
        SessionKey { id: Some("s-1".to_owned()), version: Some("2025-11-25".to_owned()) }
    }

    #[test]
    fn a_request_that_says_its_revision_needs_no_session() {
        let meta = json!({ VERSION: "2026-07-28", CLIENT: { "name": "editor", "version": "1" } });
        let call = message(
            &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "get_memory", "_meta": meta } }),
        );

        let headers = call.headers(&call.session(session()));

        assert_eq!(header(&headers, "mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(header(&headers, "mcp-method"), Some("tools/call"));
        assert_eq!(header(&headers, "mcp-name"), Some("get_memory"));
        assert_eq!(header(&headers, "mcp-session-id"), None);
        assert_eq!(header(&headers, "accept"), Some("application/json, text/event-stream"));
        assert_eq!(header(&headers, "content-type"), Some("application/json"));
        assert_eq!((call.program(), call.key().as_deref()), (Some("editor"), Some("7")));
    }

    #[test]
    fn an_older_request_has_what_was_negotiated_and_initialize_has_nothing() {
        let list = message(&json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/list" }));
        let headers = list.headers(&list.session(session()));
        assert_eq!(
            (header(&headers, "mcp-protocol-version"), header(&headers, "mcp-session-id")),
            (Some("2025-11-25"), Some("s-1"))
        );
        assert_eq!(header(&headers, "mcp-name"), None);

        let params = json!({ "protocolVersion": "2025-11-25", "clientInfo": { "name": "editor", "title": "The Editor" } });
        let initialize = message(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }));
        let headers = initialize.headers(&initialize.session(session()));
        assert_eq!((header(&headers, "mcp-protocol-version"), header(&headers, "mcp-session-id")), (None, None));
        assert_eq!(initialize.program(), Some("The Editor"));
    }

    #[test]
    fn names_that_no_header_can_hold_are_encoded() {
        let name = |uri: &str| {
            let read = message(&json!({ "id": 1, "method": "resources/read", "params": { "uri": uri } }));
            header(&read.headers(&SessionKey::default()), "mcp-name").map(str::to_owned)
        };

        assert_eq!(name("memories://x?a=b c").as_deref(), Some("memories://x?a=b c"));
        assert_eq!(name("").as_deref(), Some(""));
        for odd in ["käse", " x", "x\n", "\u{7f}", "=?base64?eA==?="] {
            assert_eq!(name(odd), Some(format!("=?base64?{}?=", STANDARD.encode(odd))), "{odd:?}");
        }
    }

    #[test]
    fn only_requests_have_an_id() {
        assert_eq!(message(&json!({ "jsonrpc": "2.0", "id": 3, "result": {} })).id, None, "an answer");
        assert_eq!(message(&json!({ "jsonrpc": "2.0", "method": "notifications/progress" })).id, None);
        assert_eq!(message(&json!({ "jsonrpc": "2.0", "id": null, "method": "ping" })).id, None);
        let nonsense = Message::read(b"{".to_vec());
        assert_eq!((nonsense.id, nonsense.is_object, &nonsense.text[..]), (None, false, &b"{"[..]));
    }

    #[test]
    fn an_answer_has_the_id_and_no_method() {
        let call = message(&json!({ "id": "a", "method": "tools/call" }));

        assert!(call.is_answered_by(br#"{"jsonrpc":"2.0","id":"a","result":{}}"#));
        assert!(call.is_answered_by(br#"{"jsonrpc":"2.0","id":"a","error":{}}"#));
        for other in [r#"{"id":"b","result":{}}"#, r#"{"id":"a","method":"elicitation/create"}"#, r#"{"method":"x"}"#, "{"] {
            assert!(!call.is_answered_by(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_cancellation_names_the_request() {
        let cancelled = |id: Value| {
            let params = json!({ "requestId": id });
            message(&json!({ "method": "notifications/cancelled", "params": params })).cancelled().map(str::to_owned)
        };

        assert_eq!(cancelled(json!(7)).as_deref(), Some("7"));
        assert_eq!(cancelled(json!("7")).as_deref(), Some("\"7\""));
        assert_eq!(message(&json!({ "method": "x", "params": { "requestId": 7 } })).cancelled(), None);
    }
}
