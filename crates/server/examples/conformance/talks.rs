//! What tools ask the client, and what they say to the answers.

use picard_crypto::SealingKey;
use rmcp::model::{ClientCapabilities, ErrorData, InputResponses, JsonObject};
use serde_json::{Value, json};

use crate::content::text;
use crate::dialogue::Dialogue;
use crate::questions::{Questions, can_be_asked, form, roots, sample};

/// What this tool has to ask; none for tools that ask nothing.
pub(crate) fn dialogue<'a>(
    tool: &'a str,
    arguments: &JsonObject,
    capabilities: &ClientCapabilities,
    states: &'a SealingKey,
) -> Result<Option<Dialogue<'a>>, ErrorData> {
    let one = |questions: Questions| Ok(Some(Dialogue { name: tool, rounds: vec![questions], states: None }));
    let with_state = |rounds: Vec<Questions>| Ok(Some(Dialogue { name: tool, rounds, states: Some(states) }));
    match tool {
        "test_sampling" => one(vec![("sampling", sample(text(arguments, "prompt")?, 100))]),
        "test_missing_capability" => one(vec![("sampling", sample("Say anything.", 10))]),
        "test_elicitation" => one(vec![("response", contact(text(arguments, "message")?))]),
        "test_elicitation_sep1034_defaults" => one(vec![("response", defaults())]),
        "test_elicitation_sep1330_enums" => one(vec![("response", choices())]),
        "test_streaming_elicitation" => one(vec![("user_name", name("What is your name?"))]),
        "test_input_required_result_elicitation" => one(vec![("user_name", name("What is your name?"))]),
        "test_input_required_result_sampling" => one(vec![("capital_question", sample("What is the capital of France?", 100))]),
        "test_input_required_result_list_roots" => one(vec![("client_roots", roots())]),
        "test_input_required_result_capabilities" => {
            one(everything().into_iter().filter(|(_, question)| can_be_asked(question, capabilities)).collect())
        }
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            with_state(vec![vec![("confirm", confirmation())]])
        }
        "test_input_required_result_multiple_inputs" => with_state(vec![everything()]),
        "test_input_required_result_multi_round" => with_state(vec![
            vec![("step1", name("Step 1: What is your name?"))],
            vec![("step2", color("Step 2: What is your favorite color?"))],
        ]),
        _ => Ok(None),
    }
}

/// What the tool says in the end.
pub(crate) fn conclusion(tool: &str, answers: &InputResponses) -> String {
    let answer = answers.values().next().unwrap_or(&Value::Null);
    let action = answer["action"].as_str().unwrap_or("none");
    let content = &answer["content"];
    match tool {
        "test_sampling" => format!("LLM response: {}", content["text"].as_str().unwrap_or_default()),
        "test_elicitation" => format!("User response: action={action}, content={content}"),
        "test_elicitation_sep1034_defaults" | "test_elicitation_sep1330_enums" => {
            format!("Elicitation completed: action={action}, content={content}")
        }
        "test_input_required_result_elicitation" => format!("Hello, {}!", content["name"].as_str().unwrap_or("stranger")),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => "state-ok".to_owned(),
        _ => format!("Answers: {}", json!(answers)),
    }
}

/// One question of each kind.
fn everything() -> Questions {
    vec![("user_name", name("What is your name?")), ("greeting", sample("Generate a greeting", 50)), ("client_roots", roots())]
}

fn name(message: &str) -> Value {
    form(message, &json!({ "name": { "type": "string" } }), &["name"])
}

fn color(message: &str) -> Value {
    form(message, &json!({ "color": { "type": "string" } }), &["color"])
}

fn confirmation() -> Value {
    form("Please confirm", &json!({ "ok": { "type": "boolean" } }), &["ok"])
}

fn contact(message: &str) -> Value {
    let properties = json!({
        "username": { "type": "string", "description": "User's response" },
        "email": { "type": "string", "description": "User's email address" }
    });
    form(message, &properties, &["username", "email"])
}

/// A default value of each kind (SEP-1034).
fn defaults() -> Value {
    let properties = json!({
        "name": { "type": "string", "description": "User name", "default": "John Doe" },
        "age": { "type": "integer", "description": "User age", "default": 30 },
        "score": { "type": "number", "description": "User score", "default": 95.5 },
        "status": {
            "type": "string",
            "description": "User status",
            "enum": ["active", "inactive", "pending"],
            "default": "active"
        },
        "verified": { "type": "boolean", "description": "Verification status", "default": true }
    });
    form("Please review and update the form fields with defaults", &properties, &[])
}

/// A choice of each kind (SEP-1330).
fn choices() -> Value {
    let properties = json!({
        "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
        "titledSingle": { "type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"]) },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": ["option1", "option2", "option3"] } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) } }
    });
    form("Please select options from the enum fields", &properties, &[])
}

fn titled(titles: [&str; 3]) -> Vec<Value> {
    let values = ["value1", "value2", "value3"].into_iter().zip(titles);
    values.map(|(value, title)| json!({ "const": value, "title": title })).collect()
}
