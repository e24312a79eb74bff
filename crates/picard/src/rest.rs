//! The server's HTTP interface, used as any client uses it: client credentials, then a person's token.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::problem::Problem;

/// A registered client's credentials at the server.
pub struct Credentials {
    /// The client's id.
    pub id: String,
    /// The client's secret.
    pub secret: String,
}

/// One person at the server.
pub struct Person {
    http: Client,
    server_url: String,
    access_token: String,
    /// The person's id.
    pub id: String,
}

impl Person {
    /// Gets a token for the person, whose account is created when it is missing.
    pub async fn connect(http: &Client, server_url: &str, credentials: &Credentials, username: &str) -> Result<Self, Problem> {
        let request = http.post(format!("{server_url}/api/user-tokens/user-token")).json(&json!({
            "client_id": credentials.id,
            "client_secret": credentials.secret,
            "username": username,
            "email": email_of(username),
            "create_if_not_exists": true,
        }));
        let answer = send(&format!("get a token for the account {username}"), request).await?;
        let word = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            http: http.clone(),
            server_url: server_url.to_owned(),
            access_token: word("access_token"),
            id: word("user_id"),
        })
    }

    /// Their access token.
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Calls a tool and answers what it answers.
    pub async fn call(&self, tool: &str, data: Value) -> Result<Value, Problem> {
        let request = self
            .http
            .post(format!("{}/api/tools", self.server_url))
            .bearer_auth(&self.access_token)
            .json(&json!({ "tool": tool, "data": data }));
        let mut answer = send(&format!("call {tool}"), request).await?;
        Ok(answer["data"].take())
    }
}

/// The address of an account that this program makes.
pub fn email_of(username: &str) -> String {
    format!("{username}@picard.example")
}

/// The HTTP client. It follows no redirects: where they lead to is part of the answer.
#[expect(clippy::disallowed_methods, reason = "the one HTTP client of this crate")]
pub fn client() -> Result<Client, Problem> {
    let builder = Client::builder().timeout(Duration::from_secs(30)).no_proxy();
    let built = builder.redirect(reqwest::redirect::Policy::none()).build();
    built.map_err(|error| Problem::from_error("set up an HTTP client", &error))
}

/// Sends a request and reads the JSON of its answer; an answer that is no success becomes a problem.
pub async fn send(doing: &str, request: RequestBuilder) -> Result<Value, Problem> {
    let failed = |error: reqwest::Error| Problem::from_error(doing, &error);
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body: Value = response.json().await.map_err(failed)?;
    if status.is_success() {
        return Ok(body);
    }
    let why = ["detail", "error_description", "error"].iter().find_map(|name| body[*name].as_str());
    Err(Problem::new(format!("cannot {doing}: the server answers {status}: {}", why.unwrap_or("no reason given"))))
}
