//! Reads answers of the server without trusting them.

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::de::DeserializeOwned;

/// More than a hundred of the largest memories, which a search gives at most; less than what could hurt.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// The server gave no answer that means anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Outage {
    /// It cannot be reached, is too slow or says that it is not ready.
    #[error("the Picard server cannot be reached or is not ready")]
    Away(#[source] Option<reqwest::Error>),
    /// It failed, or said something that cannot be understood.
    #[error("the Picard server gave an answer that cannot be used: {0}")]
    Unusable(&'static str),
    /// It said too much.
    #[error("the answer of the Picard server is too large")]
    TooLarge,
}

impl Outage {
    /// Whether asking again at once makes sense: nothing was taken in, or a proxy found nobody behind it.
    pub(crate) fn is_brief(&self) -> bool {
        match self {
            Self::Away(Some(error)) => error.is_connect(),
            Self::Away(None) => true,
            Self::Unusable(_) | Self::TooLarge => false,
        }
    }
}

/// An answer that was read completely.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    /// Sends a request and reads the answer up to the size limit. A server that is not ready counts as away.
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Result<Self, Outage> {
        Self::read(request.send().await.map_err(|error| Outage::Away(Some(error.without_url())))?).await
    }

    /// Reads an answer that has begun to come.
    pub(crate) async fn read(mut response: reqwest::Response) -> Result<Self, Outage> {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Outage::Away(Some(error.without_url())))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Outage::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Err(Outage::Away(None)),
            status if status.is_server_error() => Err(Outage::Unusable("it failed")),
            status if status.is_redirection() => Err(Outage::Unusable("it redirects")),
            status => Ok(Self { status, retry_after, body }),
        }
    }

    /// Reads the body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Outage> {
        // The parser's error would quote what a person wrote.
        serde_json::from_slice(&self.body).map_err(|_| Outage::Unusable("it is not the JSON that was expected"))
    }

    /// Reads an answer without a body.
    pub(crate) fn nothing<T: DeserializeOwned>(&self) -> Result<T, Outage> {
        serde_json::from_value(serde_json::Value::Null).map_err(|_| Outage::Unusable("it has no body"))
    }
}
