//! One call of the server for a person: `POST /api/tools` for what one can do with memories, and the rest of its API.

use http::{Method, StatusCode};
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

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("the access token is not valid any more")]
    InvalidToken,
    #[error("the server found something wrong with the request")]
    Invalid(Vec<FieldMessage>),
    #[error("there is no such thing")]
    NotFound,
    #[error("the token does not allow this")]
    MissingScope,
    #[error("the person may not do this")]
    Forbidden,
    #[error("the memory has changed in the meantime")]
    VersionMismatch,
    #[error("it clashes with something else")]
    Conflict,
    #[error("something else was sent with the same key before")]
    SentBefore,
    #[error("the text is too long")]
    TooLarge,
    #[error("too many requests")]
    RateLimited(Option<u64>),
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// A request that a person's token goes with.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Call {
    /// Reads something. `path` has no query.
    pub(crate) fn get(path: &str, query: &[(&str, &str)]) -> Self {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        Self { method: Method::GET, path, body: None }
    }

    /// Changes something. What is answered without a body is `()`.
    pub(crate) fn send(method: Method, path: &str, body: Option<Value>) -> Self {
        Self { method, path: path.to_owned(), body }
    }

    /// Uses a tool. Its answer is a `ToolAnswer`.
    pub(crate) fn tool(tool: &str, data: &Value) -> Self {
        Self::send(Method::POST, "/api/tools", Some(json!({ "tool": tool, "data": data })))
    }
}

/// What a tool answers.
#[derive(Debug, Deserialize)]
pub(crate) struct ToolAnswer<T> {
    pub(crate) data: T,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    errors: Vec<FieldMessage>,
}

impl ServerClient {
    /// Makes a call for the person that the token belongs to.
    pub(crate) async fn call<T: DeserializeOwned>(&self, token: &SecretString, call: &Call) -> Result<T, ToolError> {
        Self::answered(self.request(call).bearer_auth(token.expose_secret())).await
    }

    /// A call without anybody's credentials.
    pub(super) fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        let mut request = self.http.request(call.method.clone(), self.url(&call.path));
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        request
    }

    pub(super) async fn answered<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, ToolError> {
        let answer = Answer::to(request).await?;
        match answer.status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => Ok(answer.json()?),
            StatusCode::NO_CONTENT => Ok(answer.nothing()?),
            _ => Err(failure(&answer)),
        }
    }
}

/// What an answer that is no success means.
pub(super) fn failure(answer: &Answer) -> ToolError {
    match answer.status {
        StatusCode::UNAUTHORIZED => ToolError::InvalidToken,
        StatusCode::FORBIDDEN => forbidden(answer),
        StatusCode::NOT_FOUND => ToolError::NotFound,
        StatusCode::CONFLICT => ToolError::Conflict,
        StatusCode::PRECONDITION_FAILED => ToolError::VersionMismatch,
        StatusCode::PAYLOAD_TOO_LARGE => ToolError::TooLarge,
        StatusCode::TOO_MANY_REQUESTS => ToolError::RateLimited(answer.retry_after),
        StatusCode::UNPROCESSABLE_ENTITY => match answer.json::<Problem>().unwrap_or_default() {
            problem if problem.code == "idempotency_mismatch" => ToolError::SentBefore,
            problem => ToolError::Invalid(problem.errors),
        },
        _ => Outage::Unusable("its status is not one that is expected").into(),
    }
}

/// Asking for more scopes mends one, nothing mends the other.
fn forbidden(answer: &Answer) -> ToolError {
    match answer.json::<Problem>().unwrap_or_default().code.as_str() {
        "insufficient_scope" => ToolError::MissingScope,
        _ => ToolError::Forbidden,
    }
}
