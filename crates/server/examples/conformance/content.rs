//! What tools answer without asking anybody, and reading what they are given.

use rmcp::RoleServer;
use rmcp::model::{CallToolResult, ContentBlock, ErrorData, JsonObject, ProgressNotificationParam, ResourceContents};
use rmcp::service::RequestContext;
use serde_json::Value;

use crate::fixture::{PAUSE, failed};

/// One red pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

/// One sample of silence.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";

/// An answer of one text.
pub(crate) fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// The answer of a tool that always answers the same; none for others.
pub(crate) fn plain(tool: &str) -> Option<CallToolResult> {
    Some(match tool {
        "test_simple_text" => said("This is a simple text response for testing."),
        "test_image_content" => CallToolResult::success(vec![image()]),
        "test_audio_content" => CallToolResult::success(vec![ContentBlock::audio(WAV, "audio/wav")]),
        "test_embedded_resource" => {
            CallToolResult::success(vec![embedded("This is an embedded resource content.", "test://embedded-resource")])
        }
        "test_multiple_content_types" => CallToolResult::success(mixed()),
        "test_error_handling" => {
            CallToolResult::error(vec![ContentBlock::text("This tool intentionally returns an error for testing")])
        }
        "json_schema_2020_12_tool" | "test_x_mcp_header" | "test_changing_tool" => said("The arguments have arrived."),
        _ => return None,
    })
}

/// The pixel.
pub(crate) fn image() -> ContentBlock {
    ContentBlock::image(PNG, "image/png")
}

/// A text that is a resource.
pub(crate) fn embedded(text: &str, uri: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri))
}

fn mixed() -> Vec<ContentBlock> {
    let resource = ResourceContents::text(r#"{"test":"data","value":123}"#, "test://mixed-content-resource");
    vec![
        ContentBlock::text("Multiple content types test:"),
        image(),
        ContentBlock::resource(resource.with_mime_type("application/json")),
    ]
}

/// Works for a while and says how far it has come, if somebody wants to know.
pub(crate) async fn report_progress(context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    let token = context.meta.get_progress_token();
    for (index, progress) in [0.0, 50.0, 100.0].into_iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if let Some(token) = &token {
            let step = ProgressNotificationParam::new(token.clone(), progress).with_total(100.0);
            context.peer.notify_progress(step).await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// An argument that must be given.
pub(crate) fn text<'a>(arguments: &'a JsonObject, name: &str) -> Result<&'a str, ErrorData> {
    let value = arguments.get(name).and_then(Value::as_str);
    value.ok_or_else(|| ErrorData::invalid_params(format!("The argument {name} must be given, as a text."), None))
}
