//! The token endpoint, from a public client's side (OAuth 2.1, RFC 8707).

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::store::Stored;
use super::web::{self, body, cause, plain};

/// How long one of these requests may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer of an authorization server is larger.
const MOST_BYTES: usize = 256 * 1024;

/// The token endpoint's answer (RFC 6749 section 5.1).
#[derive(Deserialize)]
pub(super) struct Tokens {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
    scope: Option<String>,
}

impl Tokens {
    /// Puts them where they are kept. What the answer leaves out stays as it was: the scope is what was asked for, the
    /// refresh token goes on to be good.
    pub(super) fn put_into(self, stored: &mut Stored) -> Result<(), String> {
        if !self.token_type.eq_ignore_ascii_case("bearer") {
            return Err("the server gives no bearer tokens".to_owned());
        }
        stored.access_token = self.access_token;
        stored.refresh_token = self.refresh_token.or(stored.refresh_token.take());
        stored.scope = self.scope.unwrap_or_else(|| std::mem::take(&mut stored.scope));
        Ok(())
    }
}

/// What came of refreshing.
pub(super) enum Refreshed {
    /// New tokens; the old refresh token is used up.
    Tokens(Box<Stored>),
    /// The grant has ended: the person has to sign in again.
    Ended {
        /// Whether the client itself is still known there.
        is_registered: bool,
    },
}

/// Exchanges the refresh token for new tokens.
///
/// # Errors
/// The server cannot be asked now. The refresh token may still be good.
pub(super) async fn refresh(http: &Client, base: &Url, stored: &Stored) -> Result<Refreshed, String> {
    let Some(refresh_token) = &stored.refresh_token else { return Ok(Refreshed::Ended { is_registered: true }) };
    if !Url::parse(&stored.token_endpoint).is_ok_and(|endpoint| web::is_safe(&endpoint, base)) {
        return Ok(Refreshed::Ended { is_registered: false });
    }
    let form: [(&str, &str); 4] = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", &stored.client_id),
        ("resource", &stored.resource),
    ];
    let response = send("refresh the token", http.post(&stored.token_endpoint).form(&form)).await?;
    let status = response.status();
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT {
        tracing::info!(%status, "The connection has ended: a new sign-in is needed.");
        // RFC 6749 section 5.2: 401 is about the client, 400 about the grant. A client that nobody uses is forgotten.
        return Ok(Refreshed::Ended { is_registered: status != StatusCode::UNAUTHORIZED });
    }
    let mut stored = Box::new(stored.clone());
    json::<Tokens>("refresh the token", response).await?.put_into(&mut stored)?;
    Ok(Refreshed::Tokens(stored))
}

/// Sends a request that has to be answered soon.
pub(super) async fn send(doing: &str, request: RequestBuilder) -> Result<Response, String> {
    let sent = request.header(ACCEPT, "application/json").timeout(PATIENCE).send().await;
    sent.map_err(|error| format!("cannot {doing}: {}", cause(&error)))
}

/// Reads a successful answer, or says why it is none.
pub(super) async fn json<T: for<'de> Deserialize<'de>>(doing: &str, response: Response) -> Result<T, String> {
    let status = response.status();
    let body = body(response, MOST_BYTES).await.map_err(|why| format!("cannot {doing}: {why}"))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| format!("cannot {doing}: the answer is not as expected: {error}"));
    }
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let why = ["error_description", "detail", "error"].iter().find_map(|name| problem[*name].as_str());
    Err(format!("cannot {doing}: the server answers {status}: {}", plain(why.unwrap_or("no reason given"))))
}

/// The words of both, each once.
pub(super) fn union(scope: &str, further: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in scope.split_whitespace().chain(further.split_whitespace()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

/// Whether every word of `wanted` is there.
pub(super) fn includes(scope: &str, wanted: &str) -> bool {
    wanted.split_whitespace().all(|word| scope.split_whitespace().any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use super::super::store::tests::stored;
    use super::*;

    fn put(answer: &str) -> Result<Stored, String> {
        let mut stored = stored("t-1");
        let tokens: Tokens = serde_json::from_str(answer).expect("an answer");
        tokens.put_into(&mut stored).map(|()| stored)
    }

    #[test]
    fn what_a_refresh_leaves_out_stays() {
        let short = put(r#"{"access_token": "t-2", "token_type": "Bearer"}"#).expect("tokens");
        assert!(short == stored("t-2"));

        let full = r#"{"access_token": "t-2", "token_type": "bearer", "refresh_token": "r-2", "scope": "a b", "expires_in": 1}"#;
        let full = put(full).expect("tokens");
        assert_eq!((full.refresh_token.as_deref(), full.scope.as_str()), (Some("r-2"), "a b"));

        assert!(put(r#"{"access_token": "t-2", "token_type": "DPoP"}"#).is_err());
    }

    #[test]
    fn scopes_are_sets_of_words() {
        assert_eq!(union("b a", " a  c b"), "b a c");
        assert_eq!(union("", ""), "");
        assert!(includes("a b", "b a") && includes("a", ""));
        assert!(!includes("ab", "a"));
    }
}
