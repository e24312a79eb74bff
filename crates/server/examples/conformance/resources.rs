//! The resources.

use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::changes::Counts;
use crate::content;

/// The resource that changes.
pub(crate) const WATCHED: &str = "test://watched-resource";

/// The resources that have an address of their own.
pub(crate) fn listed() -> Vec<Resource> {
    let resource = |uri: &str, name: &str, description: &str, mime_type: &str| {
        Resource::new(uri, name).with_description(description).with_mime_type(mime_type)
    };
    vec![
        resource("test://static-text", "Static text", "A text that never changes.", "text/plain"),
        resource("test://static-binary", "Static binary", "One red pixel.", "image/png"),
        resource(WATCHED, "Watched", "A text that test_trigger_resource_change changes.", "text/plain"),
    ]
}

/// The resources whose address has a gap.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new("test://template/{id}/data", "Data by id");
    vec![template.with_description("Says which id it was asked for.").with_mime_type("application/json")]
}

/// What a resource holds.
pub(crate) fn read(uri: &str, counts: Counts) -> Result<ReadResourceResult, ErrorData> {
    let contents = match uri {
        "test://static-text" => ResourceContents::text("This is the content of the static text resource.", uri),
        "test://static-binary" => ResourceContents::blob(content::PNG, uri).with_mime_type("image/png"),
        WATCHED => ResourceContents::text(format!("It has changed {} times.", counts.watched), uri),
        _ => match template_id(uri) {
            Some(id) => templated(id, uri),
            // rmcp turns the code of older revisions into that of the client's.
            None => return Err(ErrorData::resource_not_found("There is no such resource.", Some(json!({ "uri": uri })))),
        },
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn template_id(uri: &str) -> Option<&str> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

fn templated(id: &str, uri: &str) -> ResourceContents {
    let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
    ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
}
