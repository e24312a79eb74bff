//! Request bodies: strict JSON, and forms in which nothing comes twice.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode;
use picard_app::{arguments, json};
use picard_auth::OAuthError;
use serde::de::DeserializeOwned;

use crate::address;
use crate::error::Problem;
use crate::oauth_error::OAuthProblem;
use crate::state::AppState;

/// A JSON body that has been read into a command.
pub(crate) struct StrictJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_plain(request.headers(), is_json) {
            return Err(unsupported("application/json"));
        }
        let bytes = read(request, state).await?;
        let value =
            json::parse(&bytes).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", error.to_string()))?;
        Ok(Self(arguments::parse(value)?))
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        StrictJson::from_request(request, state).await.map(|StrictJson(body)| Self(body))
    }
}

/// Says which kind of body is wanted.
pub(crate) fn unsupported(wanted: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        format!("Send the body as {wanted} in UTF-8, not compressed."),
    )
}

/// Whether the body is of this kind and not compressed.
pub(crate) fn is_plain(headers: &HeaderMap, is_kind: impl Fn(&str) -> bool) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let is_identity = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
    is_identity && text(header::CONTENT_TYPE).is_some_and(is_kind)
}

pub(crate) fn is_json(content_type: &str) -> bool {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = parameters.trim().to_ascii_lowercase();
    let is_utf8 = charset.is_empty() || matches!(charset.as_str(), "charset=utf-8" | "charset=\"utf-8\"" | "charset=utf8");
    essence.trim().eq_ignore_ascii_case("application/json") && is_utf8
}

pub(crate) fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a body up to the router's limit.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = axum::response::IntoResponse::into_response(rejection).status();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(status, "body_too_large", "The body is larger than this endpoint takes.")
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body could not be read.")
        }
    })
}

/// The parameters of a request to an OAuth endpoint. Unknown ones are ignored, as the RFCs say.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameter's value; an empty one counts as left out (RFC 6749 section 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The parameter's value.
    pub(crate) fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing.")))
    }

    /// What the parameter says, `false` when it is left out.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, OAuthError> {
        match self.get(name) {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(OAuthError::invalid_request(format!("{name} must be true or false."))),
        }
    }
}

/// A form, or also JSON where the endpoint takes both.
pub(crate) struct OAuthBody {
    pub(crate) headers: HeaderMap,
    /// Where it comes from.
    pub(crate) address: String,
    pub(crate) parameters: Result<Parameters, OAuthError>,
}

impl OAuthBody {
    /// Reads a request; `takes_json` is for the endpoint that is not an RFC's.
    pub(crate) async fn read(request: Request, state: &AppState, takes_json: bool) -> Result<Self, OAuthProblem> {
        let (parts, body) = request.into_parts();
        let (headers, address) = (parts.headers.clone(), address::of(&parts, state));
        let request = Request::from_parts(parts, body);
        let is_json_body = takes_json && is_plain(&headers, is_json);
        if !is_json_body && !is_plain(&headers, is_form) {
            let wanted = if takes_json {
                "application/json or application/x-www-form-urlencoded"
            } else {
                "application/x-www-form-urlencoded"
            };
            return Err(unsupported(wanted).into());
        }
        let bytes = read(request, state).await?;
        let parameters = if is_json_body { from_json(&bytes) } else { from_form(&bytes) };
        Ok(Self { headers, address, parameters })
    }

    /// The Authorization header's text.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
    }
}

/// No parameter may come twice (RFC 6749 section 3.2).
pub(crate) fn from_form(bytes: &[u8]) -> Result<Parameters, OAuthError> {
    let not_a_form = || OAuthError::invalid_request("The body is not a form in UTF-8.");
    // The form's own reader would put a replacement character where a byte is wrong.
    percent_decode(bytes).decode_utf8().map_err(|_| not_a_form())?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| not_a_form())?;
    for (index, (name, _)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(other, _)| other == name) {
            return Err(OAuthError::invalid_request(format!("{name} comes twice.")));
        }
    }
    Ok(Parameters(pairs))
}

fn from_json(bytes: &[u8]) -> Result<Parameters, OAuthError> {
    let value = json::parse(bytes).map_err(|error| OAuthError::invalid_request(format!("The body is not JSON: {error}")))?;
    let serde_json::Value::Object(members) = value else {
        return Err(OAuthError::invalid_request("The body must be a JSON object."));
    };
    let pairs = members.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(text) => Some(Ok((name, text))),
        serde_json::Value::Bool(value) => Some(Ok((name, value.to_string()))),
        serde_json::Value::Null => None,
        _ if name == "create_if_not_exists" => {
            Some(Err(OAuthError::invalid_request("create_if_not_exists must be true or false.")))
        }
        _ if KNOWN.contains(&name.as_str()) => Some(Err(OAuthError::invalid_request(format!("{name} must be a text.")))),
        _ => None,
    });
    pairs.collect::<Result<_, _>>().map(Parameters)
}

const KNOWN: [&str; 5] = ["client_id", "client_secret", "username", "email", "scope"];

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "how long a test takes is no setting of a program")]
    fn seconds() -> u64 {
        std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    #[test]
    fn fuzz_form_decoder() {
        let part = "([a-z_]{0,12}|%[0-9a-fA-F]{0,2}|\\+|\\PC){0,8}";
        let pairs = prop::collection::vec((part, part), 0..8).prop_map(|pairs| {
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&").into_bytes()
        });
        let body = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), pairs];
        let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds()) {
            let outcome = runner.run(&body, |body| {
                if let Ok(parameters) = from_form(&body) {
                    for (index, (name, _)) in parameters.0.iter().enumerate() {
                        prop_assert!(parameters.0[..index].iter().all(|(other, _)| other != name), "{} comes twice", name);
                    }
                }
                let _ = from_json(&body);
                Ok(())
            });
            outcome.expect("no body breaks it");
        }
    }
}
