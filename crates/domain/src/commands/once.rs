//! Calls that may be sent twice and count once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A client's name for one call: whoever sends the same call again with it gets the same answer, and nothing happens
/// twice. 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("minLength" = 1, "maxLength" = 255, "pattern" = "^[!-~]+$"), inline)]
pub struct IdempotencyKey(String);

/// Says what an idempotency key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 visible ASCII characters")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = IdempotencyKeyError;

    fn try_from(key: String) -> Result<Self, IdempotencyKeyError> {
        let is_plain = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain { Ok(Self(key)) } else { Err(IdempotencyKeyError) }
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

/// A call that counts once: its key, and all that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The client's name for the call.
    pub key: IdempotencyKey,
    /// The tool and its data without the key, as JSON with sorted members.
    pub request: String,
}
