//! Tools: from the catalogue to the protocol's list, from a tool's answer to the protocol's result.

use std::sync::{Arc, LazyLock};

use picard_app::catalogue::{self, CATALOGUE, Effect};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::resources;

/// The list, the same for everybody (SCO-05) and in the catalogue's order.
pub(crate) static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| CATALOGUE.iter().map(listed).collect());

fn listed(tool: &catalogue::Tool) -> Tool {
    Tool::new(tool.name, tool.description, Arc::new(tool.input_schema.clone()))
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(output_schema(&tool.output_schema)))
        .with_annotations(annotations(tool.effect))
}

/// Only what a tool really does: each member's default is the worst, so all are given.
fn annotations(effect: Effect) -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(effect == Effect::Read)
        .destructive(matches!(effect, Effect::Change | Effect::Remove))
        .idempotent(matches!(effect, Effect::Read | Effect::Remove))
        .open_world(false)
}

/// What a call answers or how it fails: structured content must match the schema in both cases, and widely used
/// clients check it, which would hide the failure from the assistant.
fn output_schema(answer: &JsonObject) -> JsonObject {
    let mut answer = answer.clone();
    answer.values_mut().for_each(|schema| shorten(schema, false));
    let dialect = answer.remove("$schema");
    let failure = json!({
        "type": "object",
        "description": "How the call failed, when isError is true.",
        "properties": {
            "code": { "type": "string" },
            "detail": { "type": "string" },
            "errors": { "type": "array", "items": { "type": "object", "required": ["field", "message"] } }
        },
        "required": ["code", "detail"]
    });
    let mut schema = JsonObject::new();
    schema.extend(dialect.map(|dialect| ("$schema".to_owned(), dialect)));
    schema.insert("type".to_owned(), "object".into());
    schema.insert("anyOf".to_owned(), json!([answer, failure]));
    schema
}

/// Leaves out what is said of the parts of a list's items: the same is said where one of them is the answer, and every
/// client reads the whole list of tools each time it connects.
fn shorten(schema: &mut Value, is_item: bool) {
    match schema {
        Value::Object(members) => {
            if is_item && members.get("description").is_some_and(Value::is_string) {
                members.remove("description");
            }
            for (name, member) in members {
                shorten(member, is_item || name == "items");
            }
        }
        Value::Array(members) => members.iter_mut().for_each(|member| shorten(member, is_item)),
        _ => {}
    }
}

/// A tool's answer: as data, as text, and with links to the memories that it holds.
pub(crate) fn answer(data: &RawValue) -> Result<CallToolResult, ErrorData> {
    let value = serde_json::from_str(data.get())
        .map_err(|_| ErrorData::internal_error("The answer could not be put into words.", None))?;
    let mut result = CallToolResult::success(vec![ContentBlock::text(data.get())]);
    result.content.extend(resources::links(&value));
    result.structured_content = Some(value);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_list_says_what_the_catalogue_says() {
        assert_eq!(TOOLS.len(), CATALOGUE.len());
        for (listed, tool) in TOOLS.iter().zip(CATALOGUE.iter()) {
            assert_eq!((listed.name.as_ref(), listed.title.as_deref()), (tool.name, Some(tool.title)));
            assert_eq!(listed.description.as_deref(), Some(tool.description));
            assert_eq!(*listed.input_schema, tool.input_schema);
        }
    }

    #[test]
    fn t15_the_list_is_made_once() {
        for (listed, again) in TOOLS.iter().zip(TOOLS.clone()) {
            assert!(Arc::ptr_eq(&listed.input_schema, &again.input_schema), "{}", listed.name);
        }
    }

    #[test]
    fn an_output_schema_allows_the_answer_and_the_failure() {
        for (listed, tool) in TOOLS.iter().zip(CATALOGUE.iter()) {
            let schema = listed.output_schema.as_ref().expect("an output schema");
            assert_eq!(schema["type"], "object", "{}", tool.name);
            assert_eq!(schema.get("$schema"), tool.output_schema.get("$schema"));
            assert_eq!(
                without_words(&schema["anyOf"][0]["properties"]),
                without_words(&tool.output_schema["properties"]),
                "{}",
                tool.name
            );
            assert_eq!(schema["anyOf"][1]["required"], json!(["code", "detail"]));
        }
    }

    /// The schema without what it says to people.
    fn without_words(schema: &Value) -> Value {
        match schema {
            Value::Object(members) => members
                .iter()
                .filter(|(name, value)| *name != "description" || !value.is_string())
                .map(|(name, value)| (name.clone(), without_words(value)))
                .collect(),
            Value::Array(members) => members.iter().map(without_words).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn annotations_are_given_and_true() {
        let hints = |effect| {
            let hints = annotations(effect);
            [hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint]
                .map(|hint| hint.expect("a hint"))
        };
        assert_eq!(hints(Effect::Read), [true, false, true, false], "LLM-11");
        assert_eq!(hints(Effect::Add), [false, false, false, false]);
        assert_eq!(hints(Effect::Change), [false, true, false, false]);
        assert_eq!(hints(Effect::Remove), [false, true, true, false]);
    }

    #[test]
    fn an_answer_is_data_text_and_links() {
        let data = json!({ "id": "1", "text": "Tea, Earl Grey.\nHot.", "updated_at": "2026-01-01T00:00:00.000000+00:00" });

        let result = answer(&serde_json::value::to_raw_value(&data).expect("JSON")).expect("a result");

        assert_eq!(result.is_error, Some(false));
        let text = &result.content[0].as_text().expect("text").text;
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), data);
        assert_eq!(result.structured_content, Some(data));
        let link = result.content[1].as_resource_link().expect("a link");
        assert_eq!((link.uri.as_str(), link.name.as_str()), ("memories://1", "Tea, Earl Grey."));
    }
}
