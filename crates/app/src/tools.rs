//! From a tool's name and its data to the method behind it: the one way in for every door.

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Error};
use serde::Serialize;
use serde_json::Value;

use crate::{App, arguments, catalogue};

impl App {
    /// Calls a tool of the [`catalogue`] and answers what it answers, as JSON.
    ///
    /// The scope is checked before the data is read: who may not call a tool learns nothing of its data.
    ///
    /// # Errors
    /// [`Error::UnknownTool`], [`Error::InsufficientScope`], [`Error::RateLimited`], [`Error::Invalid`], and those of the tool.
    pub fn call_tool<'a>(&'a self, caller: &'a Caller, name: &'a str, data: Value) -> BoxFuture<'a, Result<Value, Error>> {
        Box::pin(async move {
            let tool = catalogue::find(name).ok_or(Error::UnknownTool)?;
            caller.require(tool.scope)?;
            self.count_tool_call(caller).await?;
            match tool.name {
                "submit_memory" => answer(self.submit_memory(caller, arguments::parse(data)?).await),
                "get_memory" => answer(self.get_memory(caller, arguments::parse(data)?).await),
                "get_memories" => answer(self.get_memories(caller, arguments::parse(data)?).await),
                "retrieve_memories" => answer(self.retrieve_memories(caller, arguments::parse(data)?).await),
                "update_memory" => answer(self.update_memory(caller, arguments::parse(data)?).await),
                "delete_memory" => answer(self.delete_memory(caller, arguments::parse(data)?).await),
                "modify_permissions" => answer(self.modify_permissions(caller, arguments::parse(data)?).await),
                "query_memory" => answer(self.query_memory(caller, arguments::parse(data)?).await),
                _ => Err(Error::UnknownTool),
            }
        })
    }
}

fn answer<T: Serialize>(outcome: Result<T, Error>) -> Result<Value, Error> {
    serde_json::to_value(outcome?).map_err(Error::internal)
}
