//! The server's HTTP interface, used as the web application uses it: client credentials, then a person's token.

use std::collections::BTreeSet;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{email_of, failed};
use crate::problem::Problem;

/// The web application's credentials at the server.
pub(super) struct ClientCredentials {
    pub(super) id: String,
    pub(super) secret: String,
}

/// One person at the server.
pub(super) struct MemoryClient<'a> {
    http: &'a Client,
    server_url: &'a str,
    access_token: String,
}

impl<'a> MemoryClient<'a> {
    /// Gets a token for the person, whose account is created when it is missing.
    pub(super) async fn connect(
        http: &'a Client,
        server_url: &'a str,
        credentials: &ClientCredentials,
        username: &str,
    ) -> Result<Self, Problem> {
        let request = http
            .post(format!("{server_url}/api/user-tokens/user-token"))
            .json(&json!({
                "client_id": credentials.id,
                "client_secret": credentials.secret,
                "username": username,
                "email": email_of(username),
                "create_if_not_exists": true,
            }));
        let answer = send("get a token for a demo account", request).await?;
        let access_token = answer["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            http,
            server_url,
            access_token,
        })
    }

    /// Stores the memories that the person does not have yet; answers how many these were.
    pub(super) async fn add_missing(&self, lines: &str) -> Result<usize, Problem> {
        let known = self.texts().await?;
        let mut added = 0;
        for line in lines.lines() {
            let memory: Value = serde_json::from_str(line)
                .map_err(|error| Problem::from_error("read a demo memory", &error))?;
            if !known.contains(memory["text"].as_str().unwrap_or_default()) {
                self.call("submit_memory", memory).await?;
                added += 1;
            }
        }
        Ok(added)
    }

    /// The texts of all the person's memories.
    async fn texts(&self) -> Result<BTreeSet<String>, Problem> {
        let mut texts = BTreeSet::new();
        let mut arguments = json!({ "limit": 200 });
        loop {
            let answer = self.call("retrieve_memories", arguments).await?;
            let memories = answer["data"]["memories"].as_array().cloned().unwrap_or_default();
            texts.extend(
                memories
                    .iter()
                    .filter_map(|memory| memory["text"].as_str().map(str::to_owned)),
            );
            match answer["data"]["next_cursor"].as_str() {
                Some(cursor) => arguments = json!({ "limit": 200, "cursor": cursor }),
                None => return Ok(texts),
            }
        }
    }

    async fn call(&self, tool: &str, data: Value) -> Result<Value, Problem> {
        let request = self
            .http
            .post(format!("{}/api/tools", self.server_url))
            .bearer_auth(&self.access_token);
        send(
            "store the demo memories",
            request.json(&json!({ "tool": tool, "data": data })),
        )
        .await
    }
}

async fn send(doing: &str, request: RequestBuilder) -> Result<Value, Problem> {
    let response = request.send().await.map_err(|error| failed(doing, &error))?;
    let status = response.status();
    let body: Value = response.json().await.map_err(|error| failed(doing, &error))?;
    if status.is_success() {
        return Ok(body);
    }
    let why = ["detail", "error_description", "error"]
        .iter()
        .find_map(|name| body[*name].as_str());
    Err(Problem::new(format!(
        "cannot {doing}: the server answers {status}: {}",
        why.unwrap_or("no reason given")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_demo_person_has_private_and_public_memories() {
        for (_, lines) in super::super::PEOPLE {
            let memories: Vec<Value> = lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect();
            let count = |permission: &str| {
                memories
                    .iter()
                    .filter(|memory| memory["permission"] == permission)
                    .count()
            };

            assert_eq!((count("private"), count("public")), (12, 12));
        }
    }
}
