//! Reading a request's body before the protocol does.

use picard_app::{catalogue, json};
use picard_domain::Scope;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorData, SubscriptionFilter};

use crate::prompts;

/// The most that a client may say to begin a session, in bytes: it is kept as long as the session.
const MOST_TO_BEGIN: usize = 64 * 1024;

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Examined {
    /// The scope that it needs, if any.
    pub(crate) scope: Option<Scope>,
    /// What it wants to hear of.
    pub(crate) listen: Option<SubscriptionFilter>,
}

/// Says what the message in this body asks for.
///
/// The body is read into the same type that rmcp reads it into, after a check that no key comes twice: what is
/// decided on is what is carried out.
///
/// # Errors
/// The JSON-RPC error for a body that is not one JSON-RPC message.
pub(crate) fn examine(body: &[u8]) -> Result<Examined, ErrorData> {
    let value = json::parse(body).map_err(|error| ErrorData::parse_error(format!("The body is not JSON: {error}"), None))?;
    if value.is_array() {
        return Err(ErrorData::invalid_request("Batches are not supported; send one message at a time.", None));
    }
    let message: ClientJsonRpcMessage = serde_json::from_slice(body)
        .map_err(|_| ErrorData::invalid_request("The body is not a JSON-RPC 2.0 message of this protocol.", None))?;
    let ClientJsonRpcMessage::Request(request) = message else {
        return Ok(Examined { scope: None, listen: None });
    };
    if matches!(request.request, ClientRequest::InitializeRequest(_)) && body.len() > MOST_TO_BEGIN {
        let text = format!("A client says at most {MOST_TO_BEGIN} bytes to begin.");
        return Err(ErrorData::invalid_request(text, None));
    }
    let scope = scope_of(&request.request);
    let listen = match request.request {
        ClientRequest::SubscriptionsListenRequest(listen) => Some(listen.params.notifications),
        _ => None,
    };
    Ok(Examined { scope, listen })
}

fn scope_of(request: &ClientRequest) -> Option<Scope> {
    match request {
        // A tool that does not exist needs no scope: the protocol says that there is none.
        ClientRequest::CallToolRequest(call) => catalogue::find(&call.params.name).map(|tool| tool.scope),
        // What else tells of somebody's memories; `remember` only says what to do.
        ClientRequest::GetPromptRequest(prompt) => (prompt.params.name != prompts::REMEMBER).then_some(Scope::Read),
        ClientRequest::CompleteRequest(_) => Some(Scope::Read),
        other => {
            let method = other.method();
            let is_read = method.starts_with("resources/") || ["completion/complete", "subscriptions/listen"].contains(&method);
            is_read.then_some(Scope::Read)
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;
    use serde_json::{Value, json};

    use super::*;

    fn needed_scope(body: &[u8]) -> Result<Option<Scope>, ErrorData> {
        examine(body).map(|examined| examined.scope)
    }

    fn request(method: &str, params: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into_bytes()
    }

    fn refused(body: &[u8]) -> ErrorCode {
        needed_scope(body).expect_err("refused").code
    }

    #[test]
    fn a_call_needs_the_scope_of_its_tool() {
        for tool in catalogue::CATALOGUE.iter() {
            let body = request("tools/call", &json!({ "name": tool.name, "arguments": {} }));
            assert_eq!(needed_scope(&body), Ok(Some(tool.scope)), "SCO-05 {}", tool.name);
        }
    }

    #[test]
    fn resources_need_the_scope_for_reading() {
        for method in ["resources/list", "resources/templates/list", "resources/read", "resources/subscribe"] {
            for params in [json!({}), json!({ "uri": "memories://x" }), json!({ "cursor": 1 })] {
                assert_eq!(needed_scope(&request(method, &params)), Ok(Some(Scope::Read)), "SCO-01 {method}");
            }
        }
    }

    #[test]
    fn prompts_with_memories_and_completions_need_the_scope_for_reading() {
        let reference = json!({ "type": "ref/prompt", "name": "recall" });
        for (method, params) in [
            ("prompts/get", json!({ "name": "recall", "arguments": { "topic": "tea" } })),
            ("prompts/get", json!({ "name": "ask_persona" })),
            ("completion/complete", json!({ "ref": reference, "argument": { "name": "topic", "value": "" } })),
            ("completion/complete", json!({})),
            ("subscriptions/listen", json!({ "notifications": {} })),
            ("subscriptions/listen", json!({})),
        ] {
            assert_eq!(needed_scope(&request(method, &params)), Ok(Some(Scope::Read)), "SCO-01 {method} {params}");
        }
    }

    #[test]
    fn what_tells_nothing_of_anybody_needs_no_scope() {
        for (method, params) in [
            ("tools/list", json!({})),
            ("ping", json!({})),
            ("prompts/list", json!({})),
            ("prompts/get", json!({ "name": "remember", "arguments": { "what": "tea" } })),
            ("server/discover", json!({})),
            ("tools/call", json!({ "name": "Submit_memory" })),
            ("tools/call", json!({ "name": "__proto__" })),
            ("unknown", json!({})),
        ] {
            assert_eq!(needed_scope(&request(method, &params)), Ok(None), "SCO-06 {method}");
        }
        let notification = br#"{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "submit_memory"}}"#;
        assert_eq!(needed_scope(notification), Ok(None), "a notification calls nothing (SCO-10)");
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        let deep = format!(r#"{{"a": {}"#, "[".repeat(100_000));
        let twice =
            r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_memory", "name": "submit_memory"}}"#;
        for body in ["", "{", "{} {}", "\u{feff}{}", "NaN", twice, &deep] {
            assert_eq!(refused(body.as_bytes()), ErrorCode::PARSE_ERROR, "T11, INP-03, INP-04 {:?}", &body[..body.len().min(40)]);
        }
        assert_eq!(refused(b"\xff"), ErrorCode::PARSE_ERROR);
    }

    #[test]
    fn what_is_no_message_is_an_invalid_request() {
        for body in [
            "[]",
            r#"[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]"#,
            "{}",
            "1",
            r#"{"jsonrpc": "1.0", "id": 1, "method": "ping"}"#,
            r#"{"jsonrpc": "2.0", "id": null, "method": "ping"}"#,
            r#"{"jsonrpc": "2.0", "id": {}, "method": "ping"}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "method": 1}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "method": "ping", "result": {}}"#,
        ] {
            assert_eq!(refused(body.as_bytes()), ErrorCode::INVALID_REQUEST, "SCO-10 {body}");
        }
    }
}
