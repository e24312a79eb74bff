//! The request and the answer as they travel, and what an answer must be to be believed.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use picard_domain::Vector;
use reqwest::Response;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::EmbedError;

/// 128 vectors of 3,072 numbers are about 9 MiB.
pub(super) const MAX_ANSWER: usize = 64 << 20;

/// Error answers are short.
const MAX_ERROR: usize = 64 << 10;

/// Numbers as bytes take a third of the room of digits and need no reading. Endpoints that do not know this answer with
/// digits, which are understood, too.
pub(super) const ENCODING_FORMAT: &str = "base64";

#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dimensions: Option<usize>,
    pub(super) encoding_format: &'static str,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    data: Vec<Item>,
    pub(super) model: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    #[serde(deserialize_with = "numbers")]
    embedding: Vec<f32>,
}

/// A list of numbers, or their bytes (32 bits each, the lowest byte first) in base64.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Vec<f32>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("numbers, or their bytes in base64")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f32>, A::Error> {
            let mut numbers = Vec::new();
            while let Some(number) = list.next_element()? {
                numbers.push(number);
            }
            Ok(numbers)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<f32>, E> {
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| E::custom("no base64"))?;
            let (numbers, []) = bytes.as_chunks() else { return Err(E::custom("a number is cut off")) };
            Ok(numbers.iter().copied().map(f32::from_le_bytes).collect())
        }
    }

    deserializer.deserialize_any(Numbers)
}

impl Answer {
    /// The vectors in the order of the texts, which is told by the index and not by the place in the list.
    pub(super) fn vectors(self, count: usize, dimensions: usize) -> Result<Vec<Vector>, EmbedError> {
        let received = self.data.len();
        if received != count {
            return Err(invalid(format!("{received} vectors for {count} texts")));
        }

        let mut places: Vec<Option<Vector>> = vec![None; count];
        for Item { index, embedding } in self.data {
            let length = embedding.len();
            if length != dimensions {
                return Err(invalid(format!("{length} dimensions instead of {dimensions}")));
            }
            let vector = Vector::new(embedding).ok_or_else(|| invalid("a vector that is zero or not finite"))?;
            match places.get_mut(index) {
                Some(place) if place.is_none() => *place = Some(vector),
                Some(_) => return Err(invalid("two vectors for one text")),
                None => return Err(invalid("a vector for a text that was not sent")),
            }
        }
        // As many as there are places and no place twice: none is empty.
        Ok(places.into_iter().flatten().collect())
    }
}

/// Reads no more than the limit, whatever length was announced.
pub(super) async fn bounded(mut response: Response, limit: usize) -> Result<Vec<u8>, EmbedError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => {
                return Err(invalid(format!("more than {limit} bytes")));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(_) => return Err(EmbedError::unavailable("the answer broke off")),
        }
    }
}

/// The parser's own words may quote the answer, so only the place is told.
pub(super) fn parse(bytes: &[u8]) -> Result<Answer, EmbedError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        invalid(format!("not a list of embeddings (line {line}, column {column})"))
    })
}

/// OpenAI's short word for what went wrong. Its message is left out: it may quote the text or the key.
pub(super) async fn error_code(response: Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Details,
    }
    #[derive(Deserialize)]
    struct Details {
        code: Option<String>,
        r#type: Option<String>,
    }

    let bytes = bounded(response, MAX_ERROR).await.ok()?;
    let Envelope { error } = serde_json::from_slice(&bytes).ok()?;
    error.code.or(error.r#type).filter(|code| is_plain_word(code))
}

/// Keys have digits and capitals; texts have spaces.
fn is_plain_word(code: &str) -> bool {
    code.len() <= 48 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn invalid(reason: impl Into<String>) -> EmbedError {
    EmbedError::InvalidAnswer(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(json: &str) -> Result<Vec<Vector>, EmbedError> {
        parse(json.as_bytes())?.vectors(2, 2)
    }

    #[test]
    fn the_body_has_dimensions_only_when_asked_for() {
        let body = |dimensions| Body { model: "m", input: &["a", "b"], dimensions, encoding_format: ENCODING_FORMAT };
        let json = |dimensions| serde_json::to_string(&body(dimensions)).expect("JSON");

        assert_eq!(json(None), r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#);
        assert!(json(Some(256)).contains(r#""dimensions":256"#));
    }

    #[test]
    fn vectors_go_where_their_index_says() {
        let json = r#"{"object": "list", "model": "m", "usage": {"total_tokens": 2}, "data": [
            {"index": 1, "embedding": [0.0, 2.0], "object": "embedding"},
            {"index": 0, "embedding": [3.0, 0.0], "object": "embedding"}]}"#;

        let vectors = vectors(json).expect("valid");

        assert_eq!(vectors[0].as_slice(), [1.0, 0.0]);
        assert_eq!(vectors[1].as_slice(), [0.0, 1.0]);
    }

    #[test]
    fn numbers_may_come_as_bytes() {
        let encoded = BASE64_STANDARD.encode([3.0_f32, 0.0].map(f32::to_le_bytes).concat());
        let json = format!(r#"{{"data": [{{"index": 0, "embedding": "{encoded}"}}, {{"index": 1, "embedding": [0.0, 2.0]}}]}}"#);

        let vectors = vectors(&json).expect("valid");

        assert_eq!(vectors[0].as_slice(), [1.0, 0.0]);
        assert_eq!(vectors[1].as_slice(), [0.0, 1.0]);
    }

    #[test]
    fn nothing_else_is_believed() {
        let item = |index: i64, numbers: &str| format!(r#"{{"index": {index}, "embedding": [{numbers}]}}"#);
        let list = |items: &[String]| format!(r#"{{"data": [{}]}}"#, items.join(","));
        let good = item(0, "1, 2");
        for bad in [
            list(&[]),
            list(std::slice::from_ref(&good)),
            list(&[good.clone(), item(1, "1, 2"), item(2, "1, 2")]),
            list(&[good.clone(), item(0, "1, 2")]),
            list(&[good.clone(), item(2, "1, 2")]),
            list(&[good.clone(), item(-1, "1, 2")]),
            list(&[good.clone(), item(1, "1")]),
            list(&[good.clone(), item(1, "1, 2, 3")]),
            list(&[good.clone(), item(1, "0, 0")]),
            list(&[good.clone(), item(1, "1, NaN")]),
            list(&[good.clone(), item(1, "1, 1e60")]),
            list(&[good.clone(), item(1, "1, null")]),
            list(&[good.clone(), r#"{"index": 1, "embedding": "AACAPwAA"}"#.to_owned()]),
            list(&[good.clone(), r#"{"index": 1, "embedding": "not bytes"}"#.to_owned()]),
            list(&[good, r#"{"embedding": [1, 2]}"#.to_owned()]),
            r#"{"error": {"message": "no"}}"#.to_owned(),
        ] {
            assert!(matches!(vectors(&bad), Err(EmbedError::InvalidAnswer(_))), "{bad}");
        }
    }

    #[test]
    fn an_error_quotes_nothing_of_the_answer() {
        let Err(error) = parse(br#"{"data": "the secret text"}"#) else {
            panic!("not a list");
        };
        assert!(!error.to_string().contains("secret"));

        assert!(is_plain_word("insufficient_quota"));
        assert!(!is_plain_word("sk-abc123"));
        assert!(!is_plain_word("my dear diary"));
    }
}
