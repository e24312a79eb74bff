//! The tools of the fake server, as far as the pages use them.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

type Failure = (StatusCode, Value);

fn not_found() -> Failure {
    (StatusCode::NOT_FOUND, json!({"code": "not_found"}))
}

fn invalid(field: &str, message: &str) -> Failure {
    let errors = json!([{"field": field, "message": message}]);
    (StatusCode::UNPROCESSABLE_ENTITY, json!({"code": "invalid", "errors": errors}))
}

/// Does what a tool does.
pub(crate) fn call(memories: &mut Vec<Value>, person: Uuid, tool: &str, data: &Value) -> Result<Value, Failure> {
    match tool {
        "submit_memory" => submit(memories, person, data),
        "get_memories" => list(memories, person, data),
        "query_memory" => Ok(search(memories, person, data)),
        "get_memory" => Ok(memories[position(memories, person, data)?].clone()),
        "update_memory" => update(memories, person, data),
        "modify_permissions" => {
            let index = position(memories, person, data)?;
            memories[index]["permission"] = data["permission"].clone();
            Ok(memories[index].clone())
        }
        "delete_memory" => {
            let index = position(memories, person, data)?;
            Ok(json!({"id": memories.remove(index)["id"], "deleted": true, "message": "gone"}))
        }
        _ => Err((StatusCode::NOT_FOUND, json!({"code": "unknown_tool"}))),
    }
}

fn position(memories: &[Value], person: Uuid, data: &Value) -> Result<usize, Failure> {
    let is_visible = |memory: &Value| memory["user_id"] == json!(person) || memory["permission"] == "public";
    memories.iter().position(|memory| memory["id"] == data["memory_id"] && is_visible(memory)).ok_or_else(not_found)
}

fn submit(memories: &mut Vec<Value>, person: Uuid, data: &Value) -> Result<Value, Failure> {
    if data["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "forbidden")) {
        return Err(invalid("tags[0]", "must not be forbidden"));
    }
    let number = memories.len();
    let memory = json!({
        "id": Uuid::new_v4(), "user_id": person, "text": data["text"], "permission": data["permission"],
        "tags": data["tags"], "category": data["category"], "shared_with": null,
        "expiration_date": data["expiration_date"], "is_expired": false, "version": 1,
        "embedding_status": "ready", "created_at": format!("2026-01-01T00:{:02}:{:02}.000001+00:00", number / 60, number % 60),
        "updated_at": format!("2026-01-01T00:{:02}:{:02}.000001+00:00", number / 60, number % 60),
    });
    memories.push(memory.clone());
    Ok(memory)
}

fn list(memories: &[Value], person: Uuid, data: &Value) -> Result<Value, Failure> {
    let start: usize = match data["cursor"].as_str() {
        Some(cursor) => cursor.parse().map_err(|_| invalid("cursor", "is not one of this server's"))?,
        None => 0,
    };
    let limit = usize::try_from(data["limit"].as_u64().expect("a limit")).expect("a small limit");
    let fits = |memory: &&Value| {
        let has_tag = data["tags"]
            .as_array()
            .is_none_or(|tags| tags.iter().all(|tag| memory["tags"].as_array().is_some_and(|own| own.contains(tag))));
        let has_permission = data["permission"].is_null() || data["permission"] == memory["permission"];
        memory["user_id"] == json!(person) && has_tag && has_permission
    };
    let found: Vec<Value> = memories.iter().rev().filter(fits).cloned().collect();
    let next = if found.len() > start + limit { json!((start + limit).to_string()) } else { Value::Null };
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(start).take(limit).collect();
    Ok(json!({"memories": page, "next_cursor": next, "total": total}))
}

fn search(memories: &[Value], person: Uuid, data: &Value) -> Value {
    let is_in_reach = |memory: &&Value| match data["scope"].as_str() {
        Some("public") => memory["permission"] == "public",
        Some("all") => memory["permission"] == "public" || memory["user_id"] == json!(person),
        _ => memory["user_id"] == json!(person),
    };
    let words = data["query"].as_str().expect("a query").to_lowercase();
    let hits: Vec<Value> = memories
        .iter()
        .filter(is_in_reach)
        .filter(|memory| memory["text"].as_str().is_some_and(|text| text.to_lowercase().contains(&words)))
        .map(|memory| {
            let mut hit = memory.clone();
            hit["score"] = json!(0.8312);
            hit["similarity"] = json!(0.6624);
            hit
        })
        .collect();
    json!({"query": data["query"], "mode": "semantic", "total_found": hits.len(), "memories": hits})
}

fn update(memories: &mut [Value], person: Uuid, data: &Value) -> Result<Value, Failure> {
    let index = position(memories, person, data)?;
    let memory = &mut memories[index];
    if !data["version"].is_null() && data["version"] != memory["version"] {
        return Err((StatusCode::PRECONDITION_FAILED, json!({"code": "version_mismatch"})));
    }
    for name in ["text", "tags", "category", "permission", "expiration_date"] {
        if let Some(value) = data.get(name) {
            memory[name] = value.clone();
        }
    }
    memory["version"] = json!(memory["version"].as_i64().unwrap_or_default() + 1);
    memory["updated_at"] = json!("2026-02-02T00:00:00.000001+00:00");
    Ok(memory.clone())
}
