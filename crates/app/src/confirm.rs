//! Questions to the person before something becomes public, where their client can ask.

use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_crypto::{KeyRing, SealingKey, hash_token};
use picard_domain::commands::heading;
use picard_domain::{Caller, ClientId, Error, MemoryId, Permission, Reach, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::App;
use crate::patience::{LONGEST_LOOK, within};

/// How long a question may stay open.
const OPEN_FOR: Duration = Duration::from_secs(10 * 60);

/// A question, and what makes its answer count for this call alone.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// What the person is asked.
    pub message: String,
    /// Comes back with the answer; nobody can make one or change it.
    pub state: String,
}

/// Seals questions; any server opens what another has sealed.
pub(crate) struct Questions(SealingKey);

#[derive(Serialize, Deserialize)]
struct Sealed {
    person: UserId,
    client: ClientId,
    /// Of the tool and its data.
    call: [u8; 32],
    expires_at: Timestamp,
    /// Makes a call that was answered twice count once.
    nonce: Uuid,
}

impl Questions {
    pub(crate) fn new(keys: &KeyRing) -> Self {
        Self(SealingKey::derive(keys, "question"))
    }
}

impl App {
    /// What the person should be asked before this call, if anything: a call that makes memories public that were not.
    /// Where something else is wrong there is no question, and the call itself says what.
    ///
    /// # Errors
    /// As every statement.
    pub fn question_before<'a>(
        &'a self,
        caller: &'a Caller,
        tool: &'a str,
        data: &'a Value,
    ) -> BoxFuture<'a, Result<Option<Confirmation>, Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            let is_public = |data: &Value| data["permission"] == Permission::Public.as_str();
            let message = match tool {
                "submit_memory" if is_public(data) => {
                    Some(format!("Store this memory where everybody who is signed in can read it: “{}”?", heading(text(data))))
                }
                "submit_memories" => {
                    let public = data["memories"].as_array().into_iter().flatten().filter(|data| is_public(data)).count();
                    (public > 0).then(|| format!("Store {public} memories where everybody who is signed in can read them?"))
                }
                "update_memory" | "modify_permissions" if is_public(data) => self.question_about(caller, data).await?,
                _ => None,
            };
            Ok(message.map(|message| Confirmation { message, state: self.seal_question(caller, tool, data) }))
        }))
    }

    async fn question_about(&self, caller: &Caller, data: &Value) -> Result<Option<String>, Error> {
        let Some(id) = data["memory_id"].as_str().and_then(|id| id.parse::<MemoryId>().ok()) else {
            return Ok(None);
        };
        let memory = self.0.store.memory(Reach::Own(caller.user_id), id).await?;
        Ok(memory.filter(|memory| memory.permission != Permission::Public).map(|memory| {
            let text = data["text"].as_str().unwrap_or(&memory.text);
            format!("Let everybody who is signed in read this memory: “{}”?", heading(text))
        }))
    }

    fn seal_question(&self, caller: &Caller, tool: &str, data: &Value) -> String {
        let expires_at = (self.0.clock.now().as_offset_date_time() + OPEN_FOR).into();
        let sealed = Sealed {
            person: caller.user_id,
            client: caller.client_id,
            call: call(tool, data),
            expires_at,
            nonce: Uuid::new_v4(),
        };
        self.0.questions.0.seal(&serde_json::to_vec(&sealed).expect("plain members become JSON"))
    }

    /// The key under which a call counts once whose question was answered.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the question was another one, or is too old.
    pub fn confirmed(&self, caller: &Caller, tool: &str, data: &Value, state: &str) -> Result<String, Error> {
        let opened = self.0.questions.0.open(state).and_then(|opened| serde_json::from_slice::<Sealed>(&opened).ok());
        let fits = |sealed: &Sealed| {
            let is_same = sealed.person == caller.user_id && sealed.client == caller.client_id && sealed.call == call(tool, data);
            is_same && sealed.expires_at > self.0.clock.now()
        };
        match opened.filter(fits) {
            Some(sealed) => Ok(format!("question-{}", sealed.nonce)),
            None => {
                Err(Error::invalid("requestState", "must be that of the question to this very call, at most ten minutes old"))
            }
        }
    }
}

fn text(data: &Value) -> &str {
    data["text"].as_str().unwrap_or_default()
}

/// Members of JSON objects are sorted here, so that their order makes no difference.
fn call(tool: &str, data: &Value) -> [u8; 32] {
    hash_token(&format!("{tool} {data}"))
}
