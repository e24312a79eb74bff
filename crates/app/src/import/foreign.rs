//! What other programs export, as memories: conversations of ChatGPT and Claude, the knowledge graph of the reference
//! memory server.

use picard_domain::{Error, Timestamp};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::row::ImportMemory;
use crate::arguments;

/// A memory has no more characters; longer messages become several.
const MOST_TEXT: usize = 32_000;

/// The memories that one value of an import holds: one for a memory of ours, several for what holds several.
pub(crate) fn memories(value: Value) -> Vec<Result<ImportMemory, Error>> {
    let Value::Object(mut object) = value else {
        return vec![Err(Error::invalid("", "must be a JSON object with at least text"))];
    };
    if object.contains_key("text") {
        return vec![arguments::parse(Value::Object(object))];
    }
    if let Some(Value::Array(list)) = object.remove("memories") {
        return list
            .into_iter()
            .map(|memory| if memory.is_object() { arguments::parse(memory) } else { Err(no_memory()) })
            .collect();
    }
    let drawn = if object.contains_key("mapping") {
        chatgpt(&object)
    } else if object.contains_key("chat_messages") {
        claude(&object)
    } else {
        match object.get("type").and_then(Value::as_str) {
            Some("entity") => entity(&object),
            Some("relation") => relation(&object),
            _ => return vec![arguments::parse(Value::Object(object))],
        }
    };
    drawn.into_iter().map(arguments::parse).collect()
}

fn no_memory() -> Error {
    Error::invalid("memories", "must hold JSON objects")
}

/// A message of a conversation.
struct Message<'a> {
    source: &'static str,
    role: &'a str,
    title: &'a str,
    text: String,
    created_at: Option<Timestamp>,
}

impl Message<'_> {
    /// A long message becomes several memories, cut between lines or words where that is possible.
    fn memories(&self) -> Vec<Value> {
        let category: String = self.title.trim().chars().filter(|character| !character.is_control()).take(64).collect();
        let memory = |text: &str| {
            let mut memory = json!({ "text": text, "tags": [self.source, self.role], "created_at": self.created_at });
            if !category.is_empty() {
                memory["category"] = category.clone().into();
            }
            memory
        };
        pieces(&self.text).into_iter().map(memory).collect()
    }
}

fn pieces(text: &str) -> Vec<&str> {
    let mut rest = text.trim();
    let mut pieces = Vec::new();
    while let Some((limit, _)) = rest.char_indices().nth(MOST_TEXT) {
        let head = &rest[..limit];
        let cut = head.rfind('\n').or_else(|| head.rfind(' ')).filter(|&cut| cut > limit / 2).unwrap_or(limit);
        pieces.push(rest[..cut].trim_end());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A conversation of ChatGPT's `conversations.json`: a tree of messages, of which the branch that was last shown is told.
fn chatgpt(conversation: &Map<String, Value>) -> Vec<Value> {
    let mut created_at = conversation.get("create_time").and_then(Value::as_f64).and_then(moment);
    let message = |message: &Value| {
        // A message without a time was written after the one before it.
        created_at = message["create_time"].as_f64().filter(|seconds| *seconds > 0.0).and_then(moment).or(created_at);
        let role = match message["author"]["role"].as_str()? {
            "user" => "user",
            "assistant" => "assistant",
            // What the programs said to each other is nobody's memory.
            _ => return None,
        };
        let parts = message["content"]["parts"].as_array()?;
        let text: Vec<&str> = parts.iter().filter_map(|part| part.as_str().or_else(|| part["text"].as_str())).collect();
        Some(Message { source: "chatgpt", role, title: text_of(conversation, "title"), text: text.join("\n"), created_at })
    };
    let told: Vec<Message<'_>> = chatgpt_messages(conversation).into_iter().filter_map(message).collect();
    told.iter().flat_map(Message::memories).collect()
}

/// From the message that was shown last up to the first; in a conversation that does not say which it was, all in the
/// order of their times.
fn chatgpt_messages(conversation: &Map<String, Value>) -> Vec<&Value> {
    let Some(nodes) = conversation.get("mapping").and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut branch = Vec::new();
    let mut next = conversation.get("current_node").and_then(Value::as_str).and_then(|id| nodes.get(id));
    // A circle is longer than all nodes together.
    while let Some(node) = next.filter(|_| branch.len() < nodes.len()) {
        branch.push(node);
        next = node["parent"].as_str().and_then(|id| nodes.get(id));
    }
    branch.reverse();
    if branch.is_empty() {
        branch = nodes.values().collect();
        branch.sort_by(|left, right| {
            let time = |node: &Value| node["message"]["create_time"].as_f64().unwrap_or(0.0);
            time(left).total_cmp(&time(right))
        });
    }
    branch.into_iter().map(|node| &node["message"]).filter(|message| message.is_object()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "microseconds of our age fit")]
fn moment(seconds: f64) -> Option<Timestamp> {
    let nanoseconds = (seconds * 1_000_000.0) as i128 * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Timestamp::from)
}

/// A conversation of Claude's `conversations.json`.
fn claude(conversation: &Map<String, Value>) -> Vec<Value> {
    let message = |message: &Value| {
        let role = if message["sender"] == "human" { "user" } else { "assistant" };
        let own = message["text"].as_str().unwrap_or_default();
        let blocks = || message["content"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
        let text = if own.trim().is_empty() { blocks().collect::<Vec<_>>().join("\n") } else { own.to_owned() };
        let created_at = message["created_at"].as_str().and_then(|time| time.parse().ok());
        Message { source: "claude", role, title: text_of(conversation, "name"), text, created_at }
    };
    let messages = conversation.get("chat_messages").and_then(Value::as_array).into_iter().flatten();
    messages.map(message).flat_map(|message| message.memories()).collect()
}

/// A line of the reference server's `memory.json`: a thing and what was observed about it.
fn entity(entity: &Map<String, Value>) -> Vec<Value> {
    let (name, kind) = (text_of(entity, "name"), text_of(entity, "entityType"));
    let observations = entity.get("observations").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let memory = |text: String| json!({ "text": text, "tags": tags(["knowledge-graph", kind, name]) });
    let all: Vec<Value> = observations
        .flat_map(|observation| {
            pieces(observation).into_iter().map(|piece| memory(format!("{name}: {piece}"))).collect::<Vec<_>>()
        })
        .collect();
    // A thing about which nothing was observed is there all the same.
    if all.is_empty() { vec![memory(format!("{name} ({kind})"))] } else { all }
}

/// A line of the same file: how two things belong together.
fn relation(relation: &Map<String, Value>) -> Vec<Value> {
    let (from, kind, to) = (text_of(relation, "from"), text_of(relation, "relationType"), text_of(relation, "to"));
    vec![json!({ "text": format!("{from} {} {to}", kind.replace('_', " ")), "tags": tags(["knowledge-graph", from, to]) })]
}

fn tags<const N: usize>(words: [&str; N]) -> Vec<String> {
    let cut = |word: &str| word.trim().chars().filter(|character| *character != '\0').take(64).collect::<String>();
    words.map(cut).into_iter().filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: Value) -> Vec<(String, Vec<String>, Option<String>)> {
        let row = |row: Result<ImportMemory, Error>| {
            let row = row.unwrap_or_else(|error| panic!("{error}"));
            (row.text.as_str().to_owned(), row.tags.to_words(), row.created_at.map(|time| time.to_string()))
        };
        memories(value).into_iter().map(row).collect()
    }

    #[test]
    fn a_memory_of_ours_is_one() {
        assert_eq!(texts(json!({ "text": "a", "tags": null, "embedding": [1, 2], "id": 7 })).len(), 1);
        assert_eq!(texts(json!({ "memories": [{ "text": "a" }, { "text": "b" }] })).len(), 2);
        for wrong in [json!({}), json!({ "text": "" }), json!([]), json!("a"), json!({ "memories": [1] })] {
            assert!(memories(wrong.clone()).iter().all(Result::is_err), "{wrong}");
        }
    }

    #[test]
    fn chatgpt_tells_what_was_said_in_the_order_of_the_times() {
        let told = texts(json!({ "title": "Tea", "create_time": 1_700_000_000.0, "mapping": {
            "b": { "message": { "author": { "role": "assistant" }, "create_time": 1_700_000_002.5, "content": { "content_type": "text", "parts": ["Darjeeling."] } } },
            "a": { "message": { "author": { "role": "user" }, "create_time": 1_700_000_001.0, "content": { "parts": ["Which tea?", { "text": "Tell me." }] } } },
            "root": { "message": null }, "s": { "message": { "author": { "role": "system" }, "content": { "parts": [""] } } } } }));
        assert_eq!(
            told[0],
            (
                "Which tea?\nTell me.".into(),
                vec!["chatgpt".into(), "user".into()],
                Some("2023-11-14T22:13:21.000000+00:00".into())
            )
        );
        assert_eq!((told.len(), told[1].0.as_str(), told[1].1[1].as_str()), (2, "Darjeeling.", "assistant"));
    }

    #[test]
    fn chatgpt_tells_the_branch_that_was_last_shown() {
        let node = |parent: &str, role: &str, time: Value, text: &str| json!({ "parent": parent, "message": { "author": { "role": role }, "create_time": time, "content": { "parts": [text] } } });
        let told = texts(json!({ "title": "Tea", "create_time": 1_700_000_000.0, "current_node": "c", "mapping": {
            "a": node("", "user", json!(1_700_000_001.0), "Which tea?"),
            "b": node("a", "assistant", json!(1_700_000_002.0), "None."),
            "c": node("a", "assistant", Value::Null, "Darjeeling.") } }));
        let words: Vec<_> = told.iter().map(|told| (told.0.as_str(), told.2.as_deref())).collect();
        let time = Some("2023-11-14T22:13:21.000000+00:00");
        assert_eq!(words, [("Which tea?", time), ("Darjeeling.", time)]);
        let circle = json!({ "current_node": "a", "mapping": { "a": node("a", "user", Value::Null, "Round and round.") } });
        assert_eq!(texts(circle).len(), 1);
    }

    #[test]
    fn claude_tells_what_was_said() {
        let told = texts(json!({ "uuid": "1", "name": "Tea", "chat_messages": [
            { "sender": "human", "text": "Which tea?", "created_at": "2024-05-01T10:00:00.000000Z" },
            { "sender": "assistant", "text": "", "content": [{ "type": "text", "text": "Darjeeling." }], "created_at": "2024-05-01T10:00:05Z" }] }));
        assert_eq!(
            told[0],
            ("Which tea?".into(), vec!["claude".into(), "user".into()], Some("2024-05-01T10:00:00.000000+00:00".into()))
        );
        assert_eq!((told.len(), told[1].0.as_str()), (2, "Darjeeling."));
    }

    #[test]
    fn a_knowledge_graph_tells_observations_and_relations() {
        let thing = json!({ "type": "entity", "name": "Ada", "entityType": "person", "observations": ["likes tea", "rows"] });
        assert_eq!(texts(thing).iter().map(|told| told.0.as_str()).collect::<Vec<_>>(), ["Ada: likes tea", "Ada: rows"]);
        let bond = json!({ "type": "relation", "from": "Ada", "to": "York", "relationType": "lives_in" });
        assert_eq!(texts(bond)[0].0, "Ada lives in York");
    }

    #[test]
    fn a_long_message_becomes_several_memories_and_loses_no_word() {
        let long = "word ".repeat(20_000);
        let told = texts(json!({ "name": "x", "chat_messages": [{ "sender": "human", "text": long }] }));
        assert!(told.len() > 2);
        assert_eq!(told.iter().map(|told| told.0.split_whitespace().count()).sum::<usize>(), 20_000);
    }
}
