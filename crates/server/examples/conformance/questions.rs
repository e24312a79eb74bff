//! What servers ask clients. The requests are written as they are on the wire, which is the same in all revisions;
//! rmcp reads them into its own types.

use rmcp::model::{ClientCapabilities, JsonObject};
use serde_json::{Value, json};

const FORM: &str = "elicitation/create";
const SAMPLE: &str = "sampling/createMessage";
const ROOTS: &str = "roots/list";

/// Questions that are asked together, each by the name of its answer.
pub(crate) type Questions = Vec<(&'static str, Value)>;

/// Has the person fill in a form.
pub(crate) fn form(message: &str, properties: &Value, required: &[&str]) -> Value {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "method": FORM, "params": { "message": message, "requestedSchema": schema } })
}

/// Has the client's model say something.
pub(crate) fn sample(prompt: &str, max_tokens: u32) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    json!({ "method": SAMPLE, "params": { "messages": [message], "maxTokens": max_tokens } })
}

/// Has the client name its roots.
pub(crate) fn roots() -> Value {
    json!({ "method": ROOTS, "params": {} })
}

/// Whether this can be the answer to the question.
pub(crate) fn is_answer(question: &Value, answer: &Value) -> bool {
    match question["method"].as_str() {
        Some(FORM) => matches!(answer["action"].as_str(), Some("accept" | "decline" | "cancel")),
        Some(SAMPLE) => answer["content"].is_object() || answer["content"].is_array(),
        Some(ROOTS) => answer["roots"].is_array(),
        _ => false,
    }
}

/// Whether a client with these capabilities can be asked it.
pub(crate) fn can_be_asked(question: &Value, capabilities: &ClientCapabilities) -> bool {
    match question["method"].as_str() {
        // Neither form nor url is said by clients from before there was a choice.
        Some(FORM) => capabilities.elicitation.as_ref().is_some_and(|it| it.form.is_some() || it.url.is_none()),
        Some(SAMPLE) => capabilities.sampling.is_some(),
        Some(ROOTS) => capabilities.roots.is_some(),
        _ => false,
    }
}

/// The capability that a client needs to be asked it, as it would declare it.
pub(crate) fn needed_capability(question: &Value) -> JsonObject {
    let capability = match question["method"].as_str() {
        Some(SAMPLE) => "sampling",
        Some(ROOTS) => "roots",
        _ => "elicitation",
    };
    JsonObject::from_iter([(capability.to_owned(), json!({}))])
}
