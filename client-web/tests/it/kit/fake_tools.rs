//! The tools of the fake server, as far as the pages use them.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fake_personas;
use super::fake_server::Memo;

type Failure = (StatusCode, Value);

fn not_found() -> Failure {
    (StatusCode::NOT_FOUND, json!({"code": "not_found"}))
}

fn invalid(field: &str, message: &str) -> Failure {
    let errors = json!([{"field": field, "message": message}]);
    (StatusCode::UNPROCESSABLE_ENTITY, json!({"code": "invalid", "errors": errors}))
}

/// Does what a tool does.
pub(crate) fn call(memo: &mut Memo, person: Uuid, tool: &str, data: &Value) -> Result<Value, Failure> {
    if matches!(tool, "update_memory" | "restore_memory") {
        let index = position(&memo.memories, person, data)?;
        memo.versions.push(memo.memories[index].clone());
    }
    if tool.contains("persona") {
        return fake_personas::call(memo, person, tool, data);
    }
    if tool == "query_memory" {
        memo.queries.push(data.clone());
    }
    // One shares only with groups that one is in.
    let is_strange = |id: &Value| memo.groups.iter().all(|group| group["id"] != *id);
    if data["shared_with"]["groups"].as_array().is_some_and(|ids| ids.iter().any(is_strange)) {
        return Err(invalid("shared_with.groups", "must be groups that you own or are in"));
    }
    let Memo { memories, versions, .. } = memo;
    match tool {
        "memory_history" => history(memories, versions, person, data),
        "restore_memory" => {
            let index = position(memories, person, data)?;
            let is_wanted = |old: &&Value| old["id"] == data["memory_id"] && old["version"] == data["version"];
            memories[index]["text"] = versions.iter().find(is_wanted).ok_or_else(not_found)?["text"].clone();
            memories[index]["version"] = json!(memories[index]["version"].as_i64().unwrap_or_default() + 1);
            Ok(memories[index].clone())
        }
        "submit_memory" => submit(memories, person, data),
        "get_memories" => list(memories, person, data),
        "query_memory" => Ok(search(memories, person, data)),
        "get_memory" => Ok(memories[position(memories, person, data)?].clone()),
        "update_memory" => update(memories, person, data),
        "modify_permissions" => {
            let index = position(memories, person, data)?;
            memories[index]["permission"] = data["permission"].clone();
            if let Some(shared_with) = data.get("shared_with") {
                memories[index]["shared_with"] = shared_with.clone();
            }
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

fn history(memories: &[Value], versions: &[Value], person: Uuid, data: &Value) -> Result<Value, Failure> {
    let current = &memories[position(memories, person, data)?];
    let old = versions.iter().rev().filter(|version| version["id"] == data["memory_id"]);
    let view = |memory: &Value| {
        json!({
            "version": memory["version"], "text": memory["text"], "permission": memory["permission"],
            "changed_at": memory["updated_at"], "client_id": null,
        })
    };
    let versions: Vec<Value> = std::iter::once(current).chain(old).map(view).collect();
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let start = data["cursor"].as_str().map_or(0, |cursor| cursor.parse().expect("a cursor of ours"));
    let end = start + number(&data["limit"]).unwrap_or(50);
    let next = (versions.len() > end).then(|| end.to_string());
    let page: Vec<&Value> = versions.iter().take(end).skip(start).collect();
    Ok(json!({"versions": page, "next_cursor": next}))
}

fn submit(memories: &mut Vec<Value>, person: Uuid, data: &Value) -> Result<Value, Failure> {
    if data["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "forbidden")) {
        return Err(invalid("tags[0]", "must not be forbidden"));
    }
    let key = &data["idempotency_key"];
    if let Some(known) = memories.iter().find(|memory| !key.is_null() && memory["key"] == *key) {
        let mismatch = (StatusCode::UNPROCESSABLE_ENTITY, json!({"code": "idempotency_mismatch"}));
        return if known["text"] == data["text"] { Ok(known.clone()) } else { Err(mismatch) };
    }
    let number = memories.len();
    let memory = json!({
        "id": Uuid::new_v4(), "user_id": person, "text": data["text"], "permission": data["permission"],
        "tags": data["tags"], "category": data["category"], "shared_with": data["shared_with"], "key": key,
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
        let has_category = data["category"].is_null() || data["category"] == memory["category"];
        let is_visible = match data["user_id"].as_str() {
            Some(owner) if owner != person.to_string() => memory["user_id"] == owner && memory["permission"] == "public",
            _ => memory["user_id"] == json!(person),
        };
        is_visible && has_tag && has_permission && has_category
    };
    let mut found: Vec<Value> = memories.iter().rev().filter(fits).cloned().collect();
    if data["order"] == "asc" {
        found.reverse();
    }
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
