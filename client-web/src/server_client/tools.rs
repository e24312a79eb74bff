//! Tools: `POST /api/tools`, one call for everything that one can do with memories.

use http::StatusCode;
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ServerClient;
use super::answer::{Answer, Outage};

/// What is wrong with one field of a request.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FieldMessage {
    pub(crate) field: String,
    pub(crate) message: String,
}

/// Why a tool did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("the access token is not valid any more")]
    InvalidToken,
    #[error("the server found something wrong with the request")]
    Invalid(Vec<FieldMessage>),
    #[error("there is no such memory")]
    NotFound,
    #[error("the token does not allow this")]
    MissingScope,
    #[error("the person may not do this")]
    Forbidden,
    #[error("the memory has changed in the meantime")]
    VersionMismatch,
    #[error("it clashes with something else")]
    Conflict,
    #[error("the text is too long")]
    TooLarge,
    #[error("too many requests")]
    RateLimited(Option<u64>),
    #[error(transparent)]
    Outage(#[from] Outage),
}

#[derive(Deserialize)]
struct ToolAnswer<T> {
    data: T,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    errors: Vec<FieldMessage>,
}

impl ServerClient {
    /// Calls a tool for the person that the token belongs to.
    pub(crate) async fn call_tool<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        tool: &str,
        data: &Value,
    ) -> Result<T, ToolError> {
        let request = self
            .http
            .post(self.url("/api/tools"))
            .bearer_auth(token.expose_secret())
            .json(&json!({ "tool": tool, "data": data }));
        let answer = Answer::to(request).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.json::<ToolAnswer<T>>()?.data),
            StatusCode::UNAUTHORIZED => Err(ToolError::InvalidToken),
            StatusCode::FORBIDDEN => Err(forbidden(&answer)),
            StatusCode::NOT_FOUND => Err(ToolError::NotFound),
            StatusCode::CONFLICT => Err(ToolError::Conflict),
            StatusCode::PRECONDITION_FAILED => Err(ToolError::VersionMismatch),
            StatusCode::PAYLOAD_TOO_LARGE => Err(ToolError::TooLarge),
            StatusCode::TOO_MANY_REQUESTS => Err(ToolError::RateLimited(answer.retry_after)),
            StatusCode::UNPROCESSABLE_ENTITY => Err(ToolError::Invalid(answer.json::<Problem>().unwrap_or_default().errors)),
            _ => Err(Outage::Unusable("its status is not one that a tool gives").into()),
        }
    }
}

/// Asking for more scopes mends one, nothing mends the other.
fn forbidden(answer: &Answer) -> ToolError {
    match answer.json::<Problem>().unwrap_or_default().code.as_str() {
        "insufficient_scope" => ToolError::MissingScope,
        _ => ToolError::Forbidden,
    }
}
