//! Answers of personas while they are written: server-sent events, read without trusting them.

use std::time::Duration;

use http::StatusCode;
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ServerClient;
use super::answer::{Answer, Outage};
use super::personas::PersonaAnswer;
use super::tools::{ToolError, failure};

/// A model may take its time over a long answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(180);
/// More than any answer with its memories.
const LARGEST_EVENT: usize = 4 * 1024 * 1024;

/// What comes of an answer.
#[derive(Debug)]
pub(crate) enum AnswerEvent {
    /// The next words.
    Words(String),
    /// The whole answer; nothing follows.
    Done(Box<PersonaAnswer>),
}

/// An answer that is being written. Whoever drops it has the server stop.
#[derive(Debug)]
pub(crate) struct AnswerStream {
    response: reqwest::Response,
    unread: Vec<u8>,
}

#[derive(Deserialize)]
struct Words {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    retry_after: Option<u64>,
}

impl ServerClient {
    /// Asks a persona. What is refused at once is an error here; what fails later, one of the stream.
    pub(crate) async fn ask(&self, token: &SecretString, data: &Value) -> Result<AnswerStream, ToolError> {
        let mut data = data.clone();
        data["stream"] = true.into();
        let request = self.http.post(self.url("/api/tools")).bearer_auth(token.expose_secret()).timeout(LONGEST_ANSWER);
        let request = request.json(&json!({ "tool": "query_user", "data": data }));
        let response = request.send().await.map_err(|error| Outage::Away(Some(error.without_url())))?;
        if response.status() == StatusCode::OK {
            Ok(AnswerStream { response, unread: Vec::new() })
        } else {
            Err(failure(&Answer::read(response).await?))
        }
    }
}

impl AnswerStream {
    /// What comes next.
    pub(crate) async fn next(&mut self) -> Result<AnswerEvent, ToolError> {
        loop {
            while let Some(block) = self.block() {
                if let Some(event) = read(&block)? {
                    return Ok(event);
                }
            }
            let chunk = self.response.chunk().await.map_err(|error| Outage::Away(Some(error.without_url())))?;
            let Some(chunk) = chunk else {
                return Err(Outage::Unusable("it ends in the middle of an answer").into());
            };
            self.unread.extend_from_slice(&chunk);
            if self.unread.len() > LARGEST_EVENT {
                return Err(Outage::Unusable("it is too large").into());
            }
        }
    }

    /// The whole answer, when nobody waits for single words.
    pub(crate) async fn whole(mut self) -> Result<PersonaAnswer, ToolError> {
        loop {
            if let AnswerEvent::Done(answer) = self.next().await? {
                return Ok(*answer);
            }
        }
    }

    /// Takes one event that has come completely; an empty line ends it.
    fn block(&mut self) -> Option<Vec<u8>> {
        let end = self.unread.windows(2).position(|pair| pair == b"\n\n")?;
        let mut block: Vec<u8> = self.unread.drain(..end + 2).collect();
        block.truncate(end);
        Some(block)
    }
}

/// Reads one event; comments and kinds that are not known are passed over (HTML, section 9.2.6).
fn read(block: &[u8]) -> Result<Option<AnswerEvent>, ToolError> {
    let unusable = || ToolError::from(Outage::Unusable("it is not the event that was expected"));
    let block = std::str::from_utf8(block).map_err(|_| unusable())?;
    let (mut kind, mut data) = ("message", String::new());
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", value)) => kind = value.trim(),
            Some(("data", value)) => data.push_str(value.strip_prefix(' ').unwrap_or(value)),
            _ => {}
        }
    }
    match kind {
        "token" => {
            let words: Words = serde_json::from_str(&data).map_err(|_| unusable())?;
            Ok(Some(AnswerEvent::Words(words.text)))
        }
        "done" => Ok(Some(AnswerEvent::Done(serde_json::from_str(&data).map_err(|_| unusable())?))),
        "error" => {
            let problem: Problem = serde_json::from_str(&data).unwrap_or_default();
            Err(match problem.code.as_str() {
                "unavailable" => Outage::Away(None).into(),
                "rate_limited" => ToolError::RateLimited(problem.retry_after),
                "not_found" => ToolError::NotFound,
                _ => Outage::Unusable("it failed in the middle of an answer").into(),
            })
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerEvent, read};
    use crate::server_client::ToolError;

    #[test]
    fn events_are_read_and_what_is_not_known_is_passed_over() {
        let event = |text: &str| read(text.as_bytes());

        assert!(
            matches!(event("event: token\ndata: {\"text\": \"green\"}"), Ok(Some(AnswerEvent::Words(text))) if text == "green")
        );
        let done = "event: done\ndata: {\"response\": \"tea\", \"mode\": \"extractive\"}";
        assert!(matches!(event(done), Ok(Some(AnswerEvent::Done(answer))) if answer.response == "tea"));
        let error = "event: error\ndata: {\"code\": \"rate_limited\"}";
        assert!(matches!(event(error), Err(ToolError::RateLimited(None))));
        assert!(matches!(event(": still here"), Ok(None)));
        assert!(matches!(event("event: later\ndata: 1"), Ok(None)));
        assert!(matches!(event("event: done\ndata: nonsense"), Err(ToolError::Outage(_))));
        assert!(matches!(read(b"data: \xff"), Err(ToolError::Outage(_))));
    }
}
