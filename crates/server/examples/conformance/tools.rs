//! The list of tools.

use std::sync::LazyLock;

use rmcp::model::{Tool, object};
use serde_json::{Value, json};

use crate::changes::Counts;

/// Tools without arguments.
const PLAIN: &[(&str, &str)] = &[
    ("test_simple_text", "Answers a text."),
    ("test_image_content", "Answers an image."),
    ("test_audio_content", "Answers a sound."),
    ("test_embedded_resource", "Answers a resource."),
    ("test_multiple_content_types", "Answers a text, an image and a resource."),
    ("test_error_handling", "Always fails."),
    ("test_tool_with_logging", "Sends three log messages while it works."),
    ("test_tool_with_progress", "Says three times how far it has come."),
    ("test_reconnection", "Answers late."),
    ("test_elicitation_sep1034_defaults", "Has the person fill in a form with default values."),
    ("test_elicitation_sep1330_enums", "Has the person fill in a form with choices."),
    ("test_missing_capability", "Needs a client that has a model."),
    ("test_streaming_elicitation", "Asks the person for their name."),
    ("test_logging_tool", "Sends log messages to those who want them."),
    ("test_trigger_tool_change", "Has a tool come or go."),
    ("test_trigger_prompt_change", "Has a prompt come or go."),
    ("test_trigger_resource_change", "Changes the watched resource."),
    ("test_input_required_result_elicitation", "Asks the person for their name."),
    ("test_input_required_result_sampling", "Asks the client's model something."),
    ("test_input_required_result_list_roots", "Asks for the client's roots."),
    ("test_input_required_result_request_state", "Asks for a confirmation and wants its state back."),
    ("test_input_required_result_multiple_inputs", "Asks for a name, a greeting and roots at once."),
    ("test_input_required_result_multi_round", "Asks for a name, then for a color."),
    ("test_input_required_result_tampered_state", "Refuses a state that is not its own."),
    ("test_input_required_result_capabilities", "Asks only what the client can answer."),
];

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let plain = PLAIN.iter().map(|(name, description)| tool(name, description, json!({ "type": "object", "properties": {} })));
    let others = [
        tool("test_sampling", "Passes a prompt on to the client's model.", with_text("prompt", "What the model is asked.")),
        tool("test_elicitation", "Asks the person how to reach them.", with_text("message", "What the person is told.")),
        tool("test_x_mcp_header", "Takes an argument that is in a header, too.", in_header()),
        tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", many_keywords()),
    ];
    plain.chain(others).collect()
});

/// The tools. One of them is there after every other change.
pub(crate) fn listed(counts: Counts) -> Vec<Tool> {
    let mut tools = TOOLS.clone();
    if counts.tools % 2 == 1 {
        tools.push(tool("test_changing_tool", "Comes and goes.", json!({ "type": "object", "properties": {} })));
    }
    tools
}

fn tool(name: &'static str, description: &'static str, input_schema: Value) -> Tool {
    Tool::new(name, description, object(input_schema))
}

fn with_text(name: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "properties": { name: { "type": "string", "description": description } },
        "required": [name]
    })
}

fn in_header() -> Value {
    json!({
        "type": "object",
        "properties": {
            "region": { "type": "string", "description": "Where.", "x-mcp-header": "Region" }
        }
    })
}

/// What must come through to the client unchanged (SEP-1613, SEP-2106).
fn many_keywords() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    })
}
