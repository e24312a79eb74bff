//! From a tool's name and its data to the method behind it: the one way in for every door.

use futures_util::future::BoxFuture;
use picard_domain::commands::{BatchResult, IdempotencyKey, Once};
use picard_domain::{Caller, Error, Memory, MemoryId};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalogue::Effect;
use crate::patience::{LONGEST_BATCH, LONGEST_CALL, within};
use crate::{App, Pieces, arguments, catalogue};

/// The member by which a call is told to count once.
const KEY: &str = "idempotency_key";

/// Tells how far a call is: so much done, of so much.
pub type Progress = dyn Fn(u32, u32) + Send + Sync;

/// What may come beside a call's data.
#[derive(Clone, Copy, Default)]
pub struct CallOptions<'a> {
    /// Makes a call that changes something count once, as the member `idempotency_key` does.
    pub key: Option<&'a str>,
    /// Is told how far a long call is.
    pub progress: Option<&'a Progress>,
    /// Is given the text of an answer as it is written.
    pub pieces: Option<&'a Pieces>,
}

impl App {
    /// Calls a tool of the [`catalogue`] and answers what it answers, as JSON text.
    ///
    /// The scope is checked before the data is read: who may not call a tool learns nothing of its data.
    ///
    /// # Errors
    /// [`Error::UnknownTool`], [`Error::InsufficientScope`], [`Error::RateLimited`], [`Error::Invalid`],
    /// [`Error::IdempotencyMismatch`], and those of the tool.
    pub fn call_tool<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a str,
        data: Value,
        options: CallOptions<'a>,
    ) -> BoxFuture<'a, Result<Box<RawValue>, Error>> {
        Box::pin(async move {
            let call = self.run_tool(caller, name, data, options);
            let outcome = match name {
                // A model takes the time that it is given elsewhere; what is asked of the database besides is limited there.
                "query_user" => call.await,
                "submit_memories" => within(LONGEST_BATCH, call).await,
                _ => within(LONGEST_CALL, call).await,
            };
            self.0.tally.call(catalogue::find(name).map_or("unknown", |tool| tool.name), &outcome);
            outcome
        })
    }

    fn run_tool<'a>(
        &'a self,
        caller: &'a Caller,
        name: &'a str,
        data: Value,
        options: CallOptions<'a>,
    ) -> BoxFuture<'a, Result<Box<RawValue>, Error>> {
        Box::pin(async move {
            let tool = catalogue::find(name).ok_or(Error::UnknownTool)?;
            caller.require(tool.scope)?;
            self.count_tool_call(caller).await?;
            if tool.effect != Effect::Read {
                let once = once(tool.name, &data, options.key)?;
                return self.call_change(caller, tool.name, data, once.as_ref(), options.progress).await;
            }
            match tool.name {
                "get_memory" => answer(self.get_memory(caller, arguments::parse(data)?).await),
                "get_memories" => answer(self.get_memories(caller, arguments::parse(data)?).await),
                "retrieve_memories" => answer(self.retrieve_memories(caller, arguments::parse(data)?).await),
                "memory_history" => answer(self.memory_history(caller, arguments::parse(data)?).await),
                "query_memory" => answer(self.query_memory(caller, arguments::parse(data)?).await),
                "list_personas" => answer(self.list_personas(caller, arguments::parse(data)?).await),
                "query_user" => answer(self.query_user(caller, arguments::parse(data)?, options.pieces).await),
                "aggregate_memories" => answer(self.aggregate_memories(caller, arguments::parse(data)?).await),
                _ => Err(Error::UnknownTool),
            }
        })
    }

    async fn call_change(
        &self,
        caller: &Caller,
        tool: &'static str,
        data: Value,
        once: Option<&Once>,
        progress: Option<&Progress>,
    ) -> Result<Box<RawValue>, Error> {
        let is_of_permission = tool == "modify_permissions" || data.get("permission").is_some();
        let changed = |memory: Memory| {
            if is_of_permission {
                tracing::info!(
                    event = "permission_changed", user.id = %caller.user_id, client.id = %caller.client_id, memory.id = %memory.id,
                    permission = memory.permission.as_str(), "A person said who may see a memory."
                );
            }
            self.note_write(caller, tool, &[memory.id]);
            memory
        };
        match tool {
            "submit_memory" => answer(self.submit_memory(caller, arguments::parse(data)?, once).await.map(changed)),
            "submit_memories" => {
                let summary = self.submit_memories(caller, arguments::parse(data)?, once, progress).await?;
                let ids: Vec<MemoryId> = summary.results.iter().filter_map(stored).collect();
                self.note_write(caller, tool, &ids);
                answer(Ok(summary))
            }
            "update_memory" => answer(self.update_memory(caller, arguments::parse(data)?, once).await.map(changed)),
            "modify_permissions" => answer(self.modify_permissions(caller, arguments::parse(data)?, once).await.map(changed)),
            "restore_memory" => answer(self.restore_memory(caller, &arguments::parse(data)?, once).await.map(changed)),
            "delete_memory" => {
                let gone = self.delete_memory(caller, &arguments::parse(data)?, once).await?;
                self.note_write(caller, tool, &[gone.id]);
                answer(Ok(gone))
            }
            "create_persona" => answer(self.create_persona(caller, arguments::parse(data)?, once).await),
            "update_persona" => answer(self.update_persona(caller, arguments::parse(data)?, once).await),
            "delete_persona" => answer(self.delete_persona(caller, &arguments::parse(data)?, once).await),
            _ => Err(Error::UnknownTool),
        }
    }
}

fn stored(result: &BatchResult) -> Option<MemoryId> {
    match result {
        BatchResult::Stored { memory, .. } => Some(memory.id),
        BatchResult::Refused { .. } => None,
    }
}

fn answer<T: Serialize>(outcome: Result<T, Error>) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(&outcome?).map_err(Error::internal)
}

/// The key of a request that is no tool's, and what the request says.
pub(crate) fn once_of(key: Option<&str>, request: String) -> Result<Option<Once>, Error> {
    let key = key.map(|key| IdempotencyKey::try_from(key.to_owned()).map_err(|error| Error::invalid(KEY, error.to_string())));
    Ok(key.transpose()?.map(|key| Once { key, request }))
}

/// The key of a call, from its data or from beside it, and what the call says without it. Members of JSON objects are
/// sorted here, so that their order makes no difference.
fn once(tool: &str, data: &Value, beside: Option<&str>) -> Result<Option<Once>, Error> {
    let inside = data.get(KEY).and_then(Value::as_str);
    let key = match (inside, beside) {
        (Some(inside), Some(beside)) if inside != beside => {
            return Err(Error::invalid(KEY, "must be the same as the header Idempotency-Key, or left out"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => return Ok(None),
    };
    let key = IdempotencyKey::try_from(key.to_owned()).map_err(|error| Error::invalid(KEY, error.to_string()))?;
    let mut rest = data.clone();
    if let Some(members) = rest.as_object_mut() {
        members.remove(KEY);
    }
    Ok(Some(Once { key, request: format!("{tool} {rest}") }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_the_same_whatever_the_order_of_its_members_and_wherever_its_key_stands() {
        let one = once("submit_memory", &json!({ "text": "a", "tags": ["b"], "idempotency_key": "k" }), None);
        let other: Value = serde_json::from_str(r#"{"tags": ["b"], "text": "a"}"#).expect("JSON");
        assert_eq!(one.expect("a key"), once("submit_memory", &other, Some("k")).expect("a key"));
        assert_ne!(once("submit_memory", &other, Some("k")).ok(), once("update_memory", &other, Some("k")).ok());
        assert!(once("submit_memory", &other, None).expect("no key").is_none());
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let long = "x".repeat(256);
        for key in ["", "a b", "ä", long.as_str()] {
            assert!(once("submit_memory", &json!({}), Some(key)).is_err(), "{key:?}");
        }
        assert!(once("submit_memory", &json!({ "idempotency_key": "a" }), Some("b")).is_err());
    }
}
