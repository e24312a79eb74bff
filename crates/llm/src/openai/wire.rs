//! The chat completions API as far as it is used, in streams and out of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LlmError;
use crate::prompt::Message;

/// The longest event of a stream, in bytes.
const LONGEST_EVENT: usize = 1024 * 1024;

/// A request.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_completion_tokens: Option<u32>,
}

/// Asks for a count of tokens at the end.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}

/// An event of a stream, or a whole answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chunk {
    choices: Vec<Choice>,
    pub(crate) usage: Option<Counts>,
    pub(crate) model: Option<String>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    delta: Option<Said>,
    message: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    content: Option<Content>,
}

/// Text, or a list of parts: some endpoints give a model's thoughts as parts that are no text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    text: Option<String>,
}

/// Tokens as the endpoint counts them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) prompt_tokens: u32,
    pub(crate) completion_tokens: u32,
}

impl Chunk {
    /// Reads an event's data.
    pub(crate) fn parse(data: &str) -> Result<Self, LlmError> {
        let chunk: Self =
            serde_json::from_str(data).map_err(|_| LlmError::InvalidAnswer("an event is no JSON of a chat".to_owned()))?;
        match &chunk.error {
            Some(error) if !error.is_null() => Err(LlmError::unavailable(format!("it answered with an error{}", code_of(error)))),
            _ => Ok(chunk),
        }
    }

    /// The text in it.
    pub(crate) fn text(&self) -> String {
        let choice = self.choices.first();
        let said = choice.and_then(|choice| choice.delta.as_ref().or(choice.message.as_ref()));
        match said.and_then(|said| said.content.as_ref()) {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
            None => String::new(),
        }
    }

    /// Why the model has ended, if it has.
    pub(crate) fn end(&self) -> Option<&str> {
        // Some endpoints give an empty reason until there is one.
        self.choices.first()?.finish_reason.as_deref().filter(|reason| !reason.is_empty())
    }
}

/// An error's code in parentheses, as far as it is one: free text could hold anything, keys have digits and capitals.
pub(crate) fn code_of(error: &Value) -> String {
    let code = ["code", "type"].iter().find_map(|name| error.get(name)?.as_str());
    let is_code = |code: &&str| code.len() <= 60 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    code.filter(is_code).map(|code| format!(" ({code})")).unwrap_or_default()
}

/// Cuts a stream of bytes into the data of its events (server-sent events).
#[derive(Debug, Default)]
pub(crate) struct Events {
    bytes: Vec<u8>,
    /// Where the next line begins.
    at: usize,
}

impl Events {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), LlmError> {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.len() + bytes.len() > LONGEST_EVENT {
            return Err(LlmError::InvalidAnswer("an event has no end".to_owned()));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The first byte that is no space.
    pub(crate) fn first(&self) -> Option<u8> {
        self.bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
    }

    /// All that has come, for an answer in one piece.
    pub(crate) fn rest(&mut self) -> Result<String, LlmError> {
        String::from_utf8(std::mem::take(&mut self.bytes))
            .map_err(|_| LlmError::InvalidAnswer("the answer is no UTF-8".to_owned()))
    }

    /// The data of the next event. Chat events have one line of data each.
    pub(crate) fn next(&mut self) -> Result<Option<String>, LlmError> {
        while let Some(length) = self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            let line = &self.bytes[self.at..self.at + length];
            self.at += length + 1;
            let line = std::str::from_utf8(line).map_err(|_| LlmError::InvalidAnswer("an event is no UTF-8".to_owned()))?;
            if let Some(data) = line.strip_prefix("data:") {
                let data = data.trim();
                if !data.is_empty() {
                    return Ok(Some(data.to_owned()));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_wherever_bytes_are() {
        let stream = ": hello\r\nevent: x\r\ndata: {\"a\": \"ü\"}\r\n\r\ndata:[DONE]\n\n".as_bytes();
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                events.push(piece).expect("it fits");
                while let Some(data) = events.next().expect("text") {
                    found.push(data);
                }
            }
            assert_eq!(found, ["{\"a\": \"ü\"}", "[DONE]"], "{size}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut events = Events::default();
        let piece = vec![b'x'; LONGEST_EVENT];
        assert!(events.push(&piece).is_ok() && events.push(&piece).is_err());
    }

    #[test]
    fn an_error_within_a_stream_is_told_without_its_words() {
        let error =
            Chunk::parse(r#"{"error": {"code": "overloaded", "message": "your prompt was: secret"}}"#).expect_err("an error");
        assert!(error.to_string().contains("(overloaded)") && !error.to_string().contains("secret"), "LLM-10 {error}");
        let chunk =
            Chunk::parse(r#"{"choices": [{"delta": {"content": "a", "reasoning_content": "b"}, "finish_reason": null}]}"#);
        assert_eq!(chunk.expect("a chunk").text(), "a");
    }

    #[test]
    fn a_key_is_no_code() {
        let code = |json: Value| code_of(&json);
        assert_eq!(code(serde_json::json!({ "code": "sk-Abc123", "type": "x" })), "", "LLM-10");
        assert_eq!(code(serde_json::json!({ "code": 429, "type": "rate_limit" })), " (rate_limit)");
        assert_eq!(code(Value::from("overloaded: your prompt was")), "", "LLM-10");
    }

    #[test]
    fn what_endpoints_do_differently_is_understood() {
        let chunk = |json: &str| Chunk::parse(json).expect("a chunk");
        let parts =
            r#"{"choices": [{"delta": {"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]}}]}"#;
        assert_eq!(chunk(parts).text(), "a");
        assert_eq!(chunk(r#"{"choices": [{"delta": {"content": null}, "finish_reason": ""}]}"#).end(), None);
        assert_eq!(chunk(r#"{"choices": [], "usage": null}"#).text(), "");
    }
}
