//! Personas of the fake server, what they answer, and what they were asked.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

use super::fake_server::{Memo, Shared, bearer};

type Failure = (StatusCode, Value);

fn not_found() -> Failure {
    (StatusCode::NOT_FOUND, json!({"code": "not_found"}))
}

/// Does what the tools for personas do.
pub(super) fn call(memo: &mut Memo, person: Uuid, tool: &str, data: &Value) -> Result<Value, Failure> {
    match tool {
        "list_personas" => Ok(list(memo, person, data)),
        "create_persona" => {
            if data["name"] == "" {
                let errors = json!([{"field": "name", "message": "must have 1 to 100 characters"}]);
                return Err((StatusCode::UNPROCESSABLE_ENTITY, json!({"code": "invalid", "errors": errors})));
            }
            let mut persona = json!({
                "id": Uuid::new_v4(), "user_id": person, "model": null, "temperature": null,
                "created_at": "2026-01-01T00:00:00.000000+00:00", "updated_at": "2026-01-01T00:00:00.000000+00:00",
            });
            merge(&mut persona, data);
            memo.personas.push(persona.clone());
            Ok(persona)
        }
        "update_persona" => {
            let index = position(memo, person, data)?;
            merge(&mut memo.personas[index], data);
            let changes = memo.asked.len() + memo.tool_calls;
            memo.personas[index]["updated_at"] = json!(format!("2026-01-02T00:00:00.{changes:06}+00:00"));
            Ok(memo.personas[index].clone())
        }
        _ => {
            let index = position(memo, person, data)?;
            Ok(json!({"id": memo.personas.remove(index)["id"], "deleted": true}))
        }
    }
}

fn merge(persona: &mut Value, data: &Value) {
    for (name, value) in data.as_object().expect("members") {
        if name != "persona_id" {
            persona[name] = value.clone();
        }
    }
}

fn position(memo: &Memo, person: Uuid, data: &Value) -> Result<usize, Failure> {
    let is_meant = |persona: &Value| persona["id"] == data["persona_id"] && persona["user_id"] == json!(person);
    memo.personas.iter().position(is_meant).ok_or_else(not_found)
}

fn list(memo: &Memo, person: Uuid, data: &Value) -> Value {
    let query = data["query"].as_str();
    let owner = data.get("user_id").cloned().or_else(|| query.is_none().then(|| json!(person)));
    let is_meant = |persona: &&Value| {
        (persona["user_id"] == json!(person) || persona["is_public"] == true)
            && owner.as_ref().is_none_or(|owner| persona["user_id"] == *owner)
            && query.is_none_or(|query| persona["name"].as_str().is_some_and(|name| name.contains(query)))
    };
    let personas: Vec<&Value> = memo.personas.iter().filter(is_meant).collect();
    json!({"personas": personas, "next_cursor": null})
}

/// Answers from the first memory, in two pieces. Asked to fail, it does so after the first.
pub(super) fn answer(memo: &mut Memo, person: Uuid, data: &Value) -> Response {
    let is_meant = |persona: &&Value| {
        persona["id"] == data["persona_id"] && (persona["user_id"] == json!(person) || persona["is_public"] == true)
    };
    let Some(persona) = memo.personas.iter().find(is_meant).cloned() else {
        return (StatusCode::NOT_FOUND, Json(json!({"code": "not_found"}))).into_response();
    };
    assert_eq!(data["stream"], true, "a page never waits for more than the next word");
    memo.asked.push(data.clone());
    let memories: Vec<Value> =
        memo.memories.iter().take(1).map(|memory| json!({"id": memory["id"], "text": memory["text"], "score": 0.9})).collect();
    let ids: Vec<Value> = memories.iter().map(|memory| memory["id"].clone()).collect();
    let whole = json!({
        "response": "Green tea <b>. Always.", "mode": "llm", "model": "test", "persona": {"id": persona["id"], "name": "Ada", "user_id": person},
        "memories": memories, "citations": [{"start": 0, "end": 14, "memory_ids": ids}], "abstained": false,
        "is_truncated": false, "ai_generated": true,
    });
    let first = "event: token\ndata: {\"text\": \"Green tea\"}\n\n";
    let end = if data["prompt"] == "fail" {
        "event: error\ndata: {\"code\": \"unavailable\"}\n\n".to_owned()
    } else {
        format!(": still here\n\nevent: token\ndata: {{\"text\": \" <b>. Always.\"}}\n\nevent: done\ndata: {whole}\n\n")
    };
    ([("content-type", "text/event-stream")], format!("{first}{end}")).into_response()
}

pub(super) async fn questions(
    State(memo): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let memo = memo.lock().expect("a lock");
    if bearer(&memo, &headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_meant = |question: &&Value| query.get("persona_id").is_none_or(|id| question["persona_id"] == id.as_str());
    let questions: Vec<&Value> = memo.questions.iter().filter(is_meant).collect();
    Json(json!({"questions": questions, "next_cursor": null})).into_response()
}

pub(super) async fn blocks(State(memo): State<Shared>) -> Response {
    let memo = memo.lock().expect("a lock");
    let blocked: Vec<Value> = memo.blocks.iter().map(|id| json!({"id": id, "username": "grace"})).collect();
    Json(json!({"blocked": blocked})).into_response()
}

pub(super) async fn set_block(State(memo): State<Shared>, method: Method, Path(id): Path<Uuid>) -> Response {
    let mut memo = memo.lock().expect("a lock");
    if method == Method::PUT {
        memo.blocks.insert(id)
    } else {
        memo.blocks.remove(&id)
    };
    StatusCode::NO_CONTENT.into_response()
}
