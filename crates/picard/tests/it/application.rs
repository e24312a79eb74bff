//! The whole house as an application meets it: over HTTP.

use std::time::{Duration, Instant};

use reqwest::Client;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::house::{BICYCLE, CELLO, QUESTION, TEA, TWO};
use crate::kit::{Up, folder, http};

#[tokio::test]
async fn an_application_finds_over_http_what_it_wrote_over_http() {
    write_and_find(&[]).await;
}

#[tokio::test]
async fn two_of_everything_behave_as_one_to_an_application() {
    write_and_find(&TWO).await;
}

async fn write_and_find(arguments: &[&str]) {
    let folder = folder();
    let up = Up::start(&folder.path().join("data"), arguments);
    let application = Application::register(&up).await;

    for text in [TEA, CELLO, BICYCLE] {
        application.tool("submit_memory", json!({ "text": text, "tags": ["house"] })).await;
    }
    let found = application.search(QUESTION, 3).await;

    assert_eq!(found["memories"][0]["text"], CELLO, "{found}");
    assert_eq!(found["memories"][0]["tags"], json!(["house"]), "{found}");
    let password = up.first_password().await;
    let (_, said) = up.stop(Signal::TERM);
    assert_eq!(said.matches(&password).count(), 1, "it is shown once");
    assert!(!said.contains("Clara") && !said.contains(&application.token));
}

/// An application that is registered and acts for a person.
struct Application {
    http: Client,
    server: String,
    token: String,
}

impl Application {
    async fn register(up: &Up) -> Self {
        let (http, server) = (http(), up.says("server_url"));
        let wanted = json!({
            "client_name": "My script",
            "redirect_uris": ["http://127.0.0.1/cb"],
            "scopes": ["memories:read", "memories:write"],
        });
        let request = http
            .post(format!("{server}/api/admin/clients/register"))
            .basic_auth(up.says("admin_username"), Some(up.first_password().await));
        let client = answer(request.json(&wanted)).await;
        let wanted = json!({
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "username": "grace",
            "create_if_not_exists": true,
        });
        let request = http.post(format!("{server}/api/user-tokens/user-token"));
        let tokens = answer(request.json(&wanted)).await;
        let token = tokens["access_token"].as_str().expect("a token").to_owned();
        Self { http, server, token }
    }

    async fn tool(&self, tool: &str, data: Value) -> Value {
        let request = self.http.post(format!("{}/api/tools", self.server)).bearer_auth(&self.token);
        answer(request.json(&json!({ "tool": tool, "data": data }))).await["data"].take()
    }

    /// Searches until so many memories are found: their embeddings may come a moment later.
    async fn search(&self, query: &str, count: usize) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.tool("query_memory", json!({ "query": query })).await;
            if found["memories"].as_array().is_some_and(|all| all.len() == count) {
                return found;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status}: {body}");
    body
}
