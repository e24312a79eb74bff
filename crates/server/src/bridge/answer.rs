//! Answers of the server that are no success, and what the client is told of them.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::challenge::Challenge;
use super::web::{body, cause, plain};

/// No refusal is longer.
const MOST_BYTES: usize = 1024 * 1024;
/// JSON-RPC's code for what went wrong on the way, which is none of the protocol's own.
const INTERNAL_ERROR: i32 = -32603;

/// Why a request has no answer of the server.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    data: Option<Value>,
}

impl Failure {
    /// A failure in these words.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// The server could not be reached, or the connection broke.
    pub(super) fn of_network(url: &Url, error: &reqwest::Error) -> Self {
        let host = url.host_str().unwrap_or_default();
        let what = if error.is_connect() { "cannot be reached" } else { "did not answer" };
        Self::new(format!("The Picard server at {host} {what}: {}.", cause(error)))
    }

    /// The answer to the request with this id.
    pub(super) fn answer(&self, id: &Value) -> Vec<u8> {
        let mut error = json!({ "code": INTERNAL_ERROR, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into_bytes()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// An answer that is no success, read to its end.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Its status.
    pub(super) status: StatusCode,
    /// What kind of token is wanted.
    pub(super) challenge: Challenge,
    /// When to come back.
    pub(super) retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Refusal {
    /// Reads the answer.
    pub(super) async fn read(response: Response) -> Self {
        let (status, challenge) = (response.status(), Challenge::of(response.headers()));
        let retry_after = retry_after(response.headers());
        // The status says enough if the rest does not come.
        let body = body(response, MOST_BYTES).await.unwrap_or_default();
        Self { status, challenge, retry_after, body }
    }

    /// The server's own JSON-RPC error, if it is one. An id that the server could not know is put in, because without
    /// one nobody could tell on a line what it is about.
    pub(super) fn error(&self, id: Option<&Value>) -> Option<Vec<u8>> {
        let mut error: Value = serde_json::from_slice(&self.body).ok()?;
        let members = error.as_object_mut()?;
        if members.get("jsonrpc")? != "2.0" || !members.get("error")?.is_object() {
            return None;
        }
        if let Some(id) = id
            && members.get("id").is_none_or(Value::is_null)
        {
            members.insert("id".to_owned(), id.clone());
        }
        serde_json::to_vec(&error).ok()
    }

    /// The same in words.
    pub(super) fn failure(&self) -> Failure {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let detail = ["detail", "error_description", "title", "error"].iter().find_map(|name| problem[*name].as_str());
        let said = detail.map_or_else(|| ".".to_owned(), |detail| format!(": {}", plain(detail)));
        let mut data = json!({ "status": self.status.as_u16() });
        if let Some(wait) = self.retry_after {
            data["retryAfter"] = wait.as_secs().into();
        }
        let hint = match self.status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                " Is --url the address of its MCP endpoint, which ends in /mcp?"
            }
            status if status.is_redirection() => " Give --url the address that it leads to.",
            _ => "",
        };
        Failure { message: format!("The Picard server answers {}{said}{hint}", self.status), data: Some(data) }
    }
}

/// Only whole seconds: a date would be measured by two clocks.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &Value) -> Refusal {
        Refusal {
            status: StatusCode::from_u16(status).expect("a status"),
            challenge: Challenge::default(),
            retry_after: Some(Duration::from_secs(90)),
            body: body.to_string().into_bytes(),
        }
    }

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn the_servers_own_error_gets_the_id_that_it_could_not_know() {
        let error = json!({ "code": -32020, "message": "Header mismatch" });
        for id in [json!({}), json!({ "id": null })] {
            let mut body = json!({ "jsonrpc": "2.0", "error": error });
            if let Some(id) = id.get("id") {
                body["id"] = id.clone();
            }
            let answer = refusal(400, &body).error(Some(&json!("a"))).expect("an error");
            assert_eq!(parsed(&answer), json!({ "jsonrpc": "2.0", "id": "a", "error": error }));
        }
        let known = json!({ "jsonrpc": "2.0", "id": 7, "error": error });
        assert_eq!(parsed(&refusal(404, &known).error(Some(&json!(8))).expect("an error")), known);
        assert!(refusal(400, &json!({ "jsonrpc": "2.0", "error": error })).error(None).is_some(), "to what is no message");
    }

    #[test]
    fn what_is_no_error_of_the_protocol_is_told_in_words() {
        let problem = json!({ "status": 429, "code": "rate_limited", "detail": "Too many calls." });
        let refusal = refusal(429, &problem);
        assert_eq!(refusal.error(Some(&json!(1))), None);

        let answer = parsed(&refusal.failure().answer(&json!(1)));

        assert_eq!(answer["id"], 1);
        assert_eq!(answer["error"]["code"], INTERNAL_ERROR);
        assert_eq!(answer["error"]["data"], json!({ "status": 429, "retryAfter": 90 }));
        assert_eq!(answer["error"]["message"], "The Picard server answers 429 Too Many Requests: Too many calls.");
    }

    #[test]
    fn seconds_to_wait_are_read_and_dates_are_not() {
        let of = |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a header"))]));

        assert_eq!(of(" 5 "), Some(Duration::from_secs(5)));
        for other in ["", "-1", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
