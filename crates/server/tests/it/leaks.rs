//! What a server writes to its log when it writes everything it can.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::{Browser, PASSWORD};
use crate::kit::{ADMIN, Person, TestServer, word};
use crate::mcp::wire::{modern_at, send};

/// What must not be found, and the server that everything is asked of.
struct Journey<'a> {
    server: &'a TestServer,
    url: String,
    secrets: Vec<String>,
}

impl Journey<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.http.request(method, format!("{}{path}", self.url))
    }

    fn keep(&mut self, answer: &Value) {
        let tokens = ["access_token", "refresh_token"].iter().filter_map(|name| answer[name].as_str());
        self.secrets.extend(tokens.map(str::to_owned));
    }

    /// Sign-up, sign-in, consent, code, refresh, introspection, revocation.
    async fn connect(&mut self) {
        let browser = Browser::new(&self.url);
        browser.register("ada").await;
        browser.try_sign_in("ada", "canary wrong password").await;
        browser.sign_in("ada", PASSWORD).await;
        let flow = self.server.flow().with("state", Some("canary-state")).with("prompt", Some("consent"));
        let code = browser.code(&flow).await;
        let (status, tokens) = self.server.exchange_at(&self.url, &flow, &code).await;
        assert_eq!(status, 200, "{tokens}");
        self.keep(&tokens);
        self.secrets.extend([code, flow.verifier.clone()]);
        self.secrets.extend(browser.cookies().into_values());
        let refreshed = self.server.refresh_at(&self.url, &word(&tokens["refresh_token"])).await;
        let refreshed: Value = refreshed.json().await.expect("JSON");
        self.keep(&refreshed);
        for path in ["/introspect", "/revoke"] {
            let request = self.request(Method::POST, path).basic_auth(&self.server.client_id, Some(&self.server.client_secret));
            let form = [("token", word(&refreshed["access_token"]))];
            assert_eq!(request.form(&form).send().await.expect("an answer").status(), 200, "{path}");
        }
        let wrong = self.request(Method::POST, "/token").basic_auth(&self.server.client_id, Some("canary-wrong-secret"));
        let form = [("grant_type", "refresh_token"), ("refresh_token", "canary-refresh-token")];
        assert_eq!(wrong.form(&form).send().await.expect("an answer").status(), 401);
    }

    async fn call(&self, person: &Person, tool: &str, data: Value) -> Value {
        let request = self.request(Method::POST, "/api/tools").bearer_auth(&person.token);
        let response = request.json(&json!({ "tool": tool, "data": data })).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{tool}");
        response.json().await.expect("JSON")
    }

    /// Memories, personas, an import, an export and requests that fail, over REST.
    async fn use_rest(&self, person: &Person) -> String {
        let stored = self.call(person, "submit_memory", json!({ "text": "canary text", "tags": ["canary-tag"] })).await;
        let id = word(&stored["data"]["id"]);
        self.call(person, "update_memory", json!({ "memory_id": id, "text": "canary text, changed" })).await;
        for mode in ["semantic", "keyword", "hybrid"] {
            self.call(person, "query_memory", json!({ "query": "canary query", "mode": mode })).await;
        }
        self.call(person, "create_persona", json!({ "name": "Canary", "instructions": "canary instructions", "tags": [] })).await;
        self.call(person, "query_user", json!({ "user_id": person.user_id, "prompt": "canary question" })).await;
        let rows = "{\"text\": \"canary row\"}\n{\"text\": 7, \"canary\": 1}\n";
        let import = self.request(Method::POST, "/api/memories/import").bearer_auth(&person.token);
        import.header("content-type", "application/x-ndjson").body(rows).send().await.expect("an answer");
        let export = self.request(Method::GET, "/api/memories/export").bearer_auth(&person.token);
        export.send().await.expect("an answer").text().await.expect("memories");
        for body in ["{\"tool\": \"canary\"", "{\"tool\": \"submit_memory\", \"data\": {\"text\": [\"canary\"]}}"] {
            let request = self.request(Method::POST, "/api/tools?canary=canary").bearer_auth(&person.token);
            request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        }
        self.request(Method::GET, "/canary/path").bearer_auth("canary-token").send().await.expect("an answer");
        self.request(Method::GET, "/api/memories").bearer_auth("canary-token").send().await.expect("an answer");
        id
    }

    /// The same over MCP, in both ways of speaking it.
    async fn use_mcp(&mut self, person: &Person, id: &str) {
        let submit = json!({ "name": "submit_memory", "arguments": { "text": "canary over MCP" } });
        for (method, params) in [
            ("tools/call", submit.clone()),
            ("tools/call", json!({ "name": "query_memory", "arguments": { "query": "canary query", "limit": "canary" } })),
            ("tools/call", json!({ "name": "canary", "arguments": { "canary": "canary" } })),
            ("resources/list", json!({})),
            ("resources/read", json!({ "uri": format!("memories://{id}") })),
            ("prompts/get", json!({ "name": "recall", "arguments": { "topic": "canary topic" } })),
            ("canary/method", json!({ "canary": "canary" })),
        ] {
            send(modern_at(&self.url, person, method, params)).await;
        }
        let older = |session: Option<&str>, message: Value| {
            let request = self.request(Method::POST, "/mcp").bearer_auth(&person.token);
            let request = request.header("accept", "application/json, text/event-stream").json(&message);
            match session {
                Some(session) => request.header("mcp-session-id", session),
                None => request,
            }
        };
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "canary-client", "version": "1" } });
        let begun = older(None, json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }));
        let begun = begun.send().await.expect("an answer");
        let session = begun.headers()["mcp-session-id"].to_str().expect("an id").to_owned();
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": submit });
        let answer = older(Some(&session), call).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.expect("an answer");
        self.secrets.push(session);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_log_of_everything_has_no_secret_no_token_and_no_text_ops_02(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let process = server.process_with(&["--openai-api-key", "canary-api-key"], &[("RUST_LOG", "trace,rmcp=trace")]).await;
    let known = ["canary", "Canary", PASSWORD, ADMIN.1, "@example.org", &server.client_secret, &server.key()];
    let mut journey = Journey { server: &server, url: process.url.clone(), secrets: known.map(str::to_owned).into() };
    let password = url::Url::parse(&server.database_url).ok().and_then(|url| url.password().map(str::to_owned));
    journey.secrets.extend(password.filter(|password| password.len() > 3));

    journey.connect().await;
    let person = journey.request(Method::POST, "/api/user-tokens/user-token").json(&json!({
        "client_id": server.client_id, "client_secret": server.client_secret, "username": "grace", "create_if_not_exists": true,
    }));
    let answer: Value = person.send().await.expect("an answer").json().await.expect("JSON");
    journey.keep(&answer);
    let grace = Person::from_answer(&answer);
    let id = journey.use_rest(&grace).await;
    journey.use_mcp(&grace, &id).await;
    let admin = journey.request(Method::GET, "/api/admin/stats").basic_auth(ADMIN.0, Some(ADMIN.1));
    assert_eq!(admin.send().await.expect("an answer").status(), 200);
    let secrets = journey.secrets;
    let log = process.log().await;

    let of_level = |level: &str| log.iter().any(|line| line.contains(&format!("\"level\":\"{level}\"")));
    assert!(of_level("TRACE") && of_level("DEBUG") && of_level("INFO"), "the log says everything it can");
    assert!(log.iter().any(|line| line.contains("A request was answered.")));
    for secret in secrets {
        assert_eq!(log.iter().find(|line| line.contains(&secret)), None, "OPS-02: {secret}");
    }
}
