//! The OpenAPI document and the pages that show it.

use picard_app::catalogue::CATALOGUE;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, golden, word};

/// Calls `visit` with every value inside of this one, itself included.
fn walk(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

fn document() -> Value {
    picard_server::openapi_document("https://picard.example.com")
}

#[test]
fn the_golden_file_is_the_document() {
    golden("openapi.json", &document());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut count = 0;

    walk(&document, &mut |value| {
        let references = value
            .get("$ref")
            .into_iter()
            .chain(value["discriminator"]["mapping"].as_object().into_iter().flat_map(serde_json::Map::values));
        for reference in references {
            let pointer =
                reference.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or_else(|| panic!("not within: {reference}"));
            assert!(document.pointer(pointer).is_some(), "{reference}");
            count += 1;
        }
    });

    assert!(count >= 4 * CATALOGUE.len(), "{count}");
}

#[test]
fn every_operation_has_a_name_a_summary_and_its_answers() {
    let document = document();
    let mut names = std::collections::HashSet::new();

    assert_eq!(document["openapi"].as_str().map(|version| version.starts_with("3.1")), Some(true));
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let what = format!("{method} {path}");
            assert!(names.insert(word(&operation["operationId"])), "{what}: the name is taken");
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{what}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{what}");
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('4')) {
                assert!(response["content"].is_object(), "{what} {status} has a body");
            }
        }
    }
    assert!(names.len() >= 13, "{names:?}");
}

#[test]
fn every_tool_is_described_with_its_call_and_its_answer() {
    let document = document();
    let operation = &document["paths"]["/api/tools"]["post"];
    let calls = &operation["requestBody"]["content"]["application/json"]["schema"];
    let answers = &operation["responses"]["200"]["content"]["application/json"]["schema"];

    for tool in CATALOGUE.iter() {
        for (schema, suffix, data) in [(calls, "Call", &tool.input_schema), (answers, "Answer", &tool.output_schema)] {
            let reference = format!("#/components/schemas/{}{suffix}", tool.name);
            assert!(schema["oneOf"].as_array().expect("choices").contains(&json!({ "$ref": reference })), "{reference}");
            assert_eq!(schema["discriminator"]["mapping"][tool.name], reference);
            let described = document.pointer(&reference[1..]).expect("a schema");
            assert_eq!(described["properties"]["tool"]["const"], tool.name);
            assert_eq!(described["properties"]["data"]["properties"], data["properties"], "{reference}");
        }
        assert!(word(&operation["description"]).contains(tool.name), "{}", tool.name);
    }
    assert_eq!(calls["oneOf"].as_array().map(Vec::len), Some(CATALOGUE.len()));
}

/// Whether a value has the members that a schema asks for and no others, as deep as it says.
fn fits(value: &Value, schema: &Value) -> Result<(), String> {
    if let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            members.get(name).ok_or_else(|| format!("{name} is missing"))?;
        }
        for (name, member) in members {
            fits(member, properties.get(name).ok_or_else(|| format!("{name} is not described"))?)?;
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"])?;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(only) => vec![only],
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let is_allowed = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    if is_allowed { Ok(()) } else { Err(format!("{value} is not {types:?}")) }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_example_is_taken_and_answered_as_described(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let document: Value = server.get("/openapi.json").send().await.expect("an answer").json().await.expect("JSON");
    let examples = &document["paths"]["/api/tools"]["post"]["requestBody"]["content"]["application/json"]["examples"];

    for tool in CATALOGUE.iter() {
        let id = server.remember(&ada, "I like my tea.").await;
        let mut call = examples[tool.name]["value"].clone();
        if call["data"].get("memory_id").is_some() {
            call["data"]["memory_id"] = id.into();
        }
        if call["data"].get("user_id").is_some() {
            call["data"]["user_id"] = ada.user_id.clone().into();
        }
        if call["data"].get("persona_id").is_some() {
            call["data"]["persona_id"] = server.call(&ada, "create_persona", json!({ "name": "x" })).await["id"].clone();
        }
        fits(&call, &document["components"]["schemas"][format!("{}Call", tool.name)])
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", tool.name));

        let response = server.post("/api/tools").bearer_auth(&ada.token).json(&call).send().await.expect("an answer");

        assert_eq!(response.status(), 200, "{call}");
        let answer: Value = response.json().await.expect("JSON");
        let schema = &document["components"]["schemas"][format!("{}Answer", tool.name)];
        fits(&answer, schema).unwrap_or_else(|wrong| panic!("{}: {wrong} in {answer}", tool.name));
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_pages_come_from_the_binary_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    let page = server.get("/docs").send().await.expect("an answer");

    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().expect("text").starts_with("text/html"));
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "OPS-11 {policy}");
    let html = page.text().await.expect("a page");
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("=\"//"), "OPS-11: nothing from elsewhere");
    assert!(!html.contains("<script>") && !html.contains("onload="), "OPS-11: no script in the page");
    let links: Vec<&str> =
        html.split("src=\"").skip(1).chain(html.split("href=\"").skip(1)).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        let asset = server.get(link).send().await.expect("an answer");
        assert_eq!(asset.status(), 200, "{link}");
        let kind = asset.headers()["content-type"].to_str().expect("text").to_owned();
        let expected = match link.rsplit('.').next() {
            Some("js") => "javascript",
            Some("css") => "text/css",
            Some("png") => "image/png",
            _ => "json",
        };
        assert!(kind.contains(expected), "{link}: {kind}");
        assert_eq!(asset.headers()["x-content-type-options"], "nosniff");
    }
    let served: Value = server.get("/openapi.json").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(served, picard_server::openapi_document(&server.url), "the same document, with this server's URL");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_operator_can_turn_the_documentation_off_ops_11(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--docs", "off"]).await;

    for path in ["/docs", "/docs/", "/docs/docs.js", "/docs/swagger-ui.css", "/openapi.json"] {
        let response = server.get(path).send().await.expect("an answer");
        assert_eq!(response.status(), 404, "OPS-11 {path}");
        assert_eq!(response.json::<Value>().await.expect("JSON")["code"], "not_found", "OPS-11 {path}");
    }
    let index: Value = server.get("/").send().await.expect("an answer").json().await.expect("JSON");
    assert!(index["docs"].is_null() && index["openapi"].is_null() && index["mcp"].is_string(), "OPS-11 {index}");
}
