//! The OpenAPI 3.1 document: operations from the routes, tools from the catalogue.

use picard_app::catalogue::{CATALOGUE, Tool};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::router::{api_routes, client_routes, document_routes, open_routes, streaming_routes};

#[derive(OpenApi)]
#[openapi(info(
    title = "Picard",
    description = "Memories that belong to the person who has them. Every tool is here behind POST /api/tools and, with the same data, behind MCP at /mcp.",
    license(name = "MIT")
))]
struct Document;

/// The document as JSON, the same for every deployment but for the server's URL.
///
/// # Panics
/// Never: the document is made of plain values.
#[must_use]
pub fn document(public_url: &str) -> Value {
    let (_, open) = open_routes().split_for_parts();
    let (_, api) = api_routes().split_for_parts();
    let mut openapi = Document::openapi();
    openapi.merge(open);
    for more in [document_routes(), client_routes(), streaming_routes()] {
        let (_, more) = more.split_for_parts();
        openapi.merge(more);
    }
    openapi.merge(api);
    let mut document = serde_json::to_value(openapi).expect("an OpenAPI document is JSON");
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{ "url": public_url }]);
    add_security(&mut document);
    add_problem(&mut document);
    add_answers(&mut document);
    add_tools(&mut document);
    document
}

fn add_security(document: &mut Value) {
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token from /token or /api/user-tokens/user-token." },
        "administrator": { "type": "http", "scheme": "basic", "description": "An administrator's name or e-mail address and password." },
        "client": { "type": "http", "scheme": "basic", "description": "A client's id and secret (client_secret_basic)." },
    });
}

/// Answers that are no type of their own are described by their example.
fn add_answers(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let operations = paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    let responses = operations.filter_map(|operation| operation["responses"].as_object_mut()).flat_map(Map::values_mut);
    for content in responses.filter_map(|response| response.get_mut("content")?.get_mut("application/json")) {
        if let Some(example) = content.get("example") {
            content["schema"] = schema_of(example);
        }
    }
}

fn schema_of(example: &Value) -> Value {
    match example {
        Value::Object(members) => {
            let properties: Map<String, Value> = members.iter().map(|(name, value)| (name.clone(), schema_of(value))).collect();
            json!({ "type": "object", "required": members.keys().collect::<Vec<_>>(), "properties": properties })
        }
        Value::Array(items) => json!({ "type": "array", "items": items.first().map_or(json!({}), schema_of) }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({}),
    }
}

/// Every failed answer has the same body (RFC 9457), so it is described once and put everywhere.
fn add_problem(document: &mut Value) {
    document["components"]["schemas"]["Problem"] = json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What is wrong and what to do, for people." },
            "code": { "type": "string", "description": "A stable word to switch on." },
            "errors": { "type": "array", "items": { "type": "object", "required": ["field", "message"],
                "properties": { "field": { "type": "string" }, "message": { "type": "string" } } } },
            "request_id": { "type": "string" },
        },
    });
    document["components"]["schemas"]["OAuthError"] = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } },
    });
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, operations) in paths {
        let is_oauth =
            matches!(path.as_str(), "/token" | "/register" | "/revoke" | "/introspect" | "/api/user-tokens/user-token");
        let (kind, schema) = if is_oauth { ("application/json", "OAuthError") } else { ("application/problem+json", "Problem") };
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            add_error_bodies(operation, kind, schema);
        }
    }
}

fn add_error_bodies(operation: &mut Value, kind: &str, schema: &str) {
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, response) in responses {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = json!({ kind: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } });
        }
    }
}

/// Describes the call of each tool: `{"tool": name, "data": input}` and `{"tool": name, "data": output}`.
fn add_tools(document: &mut Value) {
    let operation = &mut document["paths"]["/api/tools"]["post"];
    let mut summary = String::from("Calls a tool:\n\n| tool | scope | what it does |\n|---|---|---|\n");
    for tool in CATALOGUE.iter() {
        summary.push_str(&format!("| `{}` | `{}` | {} |\n", tool.name, tool.scope, tool.description));
    }
    operation["description"] = summary.into();
    let examples: Map<String, Value> = CATALOGUE.iter().map(|tool| (tool.name.to_owned(), example(tool))).collect();
    operation["requestBody"] = json!({ "required": true, "content": { "application/json": {
        "schema": { "oneOf": references("Call"), "discriminator": { "propertyName": "tool", "mapping": mapping("Call") } },
        "examples": examples,
    } } });
    operation["responses"]["200"]["content"] = json!({ "application/json": {
        "schema": { "oneOf": references("Answer"), "discriminator": { "propertyName": "tool", "mapping": mapping("Answer") } },
    } });
    for tool in CATALOGUE.iter() {
        let schemas = &mut document["components"]["schemas"];
        schemas[format!("{}Call", tool.name)] = envelope(tool.name, &tool.input_schema, true);
        schemas[format!("{}Answer", tool.name)] = envelope(tool.name, &tool.output_schema, false);
    }
}

fn references(what: &str) -> Vec<Value> {
    CATALOGUE.iter().map(|tool| json!({ "$ref": format!("#/components/schemas/{}{what}", tool.name) })).collect()
}

fn mapping(what: &str) -> Map<String, Value> {
    CATALOGUE.iter().map(|tool| (tool.name.to_owned(), format!("#/components/schemas/{}{what}", tool.name).into())).collect()
}

fn envelope(name: &str, data: &Map<String, Value>, is_strict: bool) -> Value {
    let mut data = data.clone();
    data.remove("$schema");
    let mut schema = json!({
        "type": "object",
        "required": ["tool", "data"],
        "properties": { "tool": { "type": "string", "const": name }, "data": data },
    });
    if is_strict {
        schema["additionalProperties"] = false.into();
    }
    schema
}

fn example(tool: &Tool) -> Value {
    let id = "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11";
    let data = match tool.name {
        "submit_memory" => {
            json!({ "text": "I like my tea, Earl Grey, hot.", "tags": ["tea"], "category": "preferences" })
        }
        "get_memories" => json!({ "tags": ["tea"], "limit": 20 }),
        "retrieve_memories" => json!({ "limit": 100 }),
        "update_memory" => {
            json!({ "memory_id": id, "text": "I like my tea, Darjeeling, hot.", "version": 1 })
        }
        "submit_memories" => {
            json!({ "memories": [{ "text": "Tea at four.", "tags": ["tea"] }, { "text": "Dinner at eight." }], "on_error": "continue" })
        }
        "restore_memory" => json!({ "memory_id": id, "version": 1 }),
        "aggregate_memories" => json!({ "tags": ["tea"] }),
        "query_user" => json!({ "user_id": id, "prompt": "Which tea do you like?" }),
        "list_personas" => json!({ "query": "tea" }),
        "create_persona" => json!({ "name": "Ada on tea", "description": "What I drink.", "tags": ["tea"], "is_public": true }),
        "update_persona" => json!({ "persona_id": id, "is_public": false }),
        "delete_persona" => json!({ "persona_id": id }),
        "modify_permissions" => json!({ "memory_id": id, "permission": "public" }),
        "query_memory" => json!({ "query": "What do I drink?", "limit": 5 }),
        _ => json!({ "memory_id": id }),
    };
    json!({ "summary": tool.title, "value": { "tool": tool.name, "data": data } })
}
