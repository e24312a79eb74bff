//! The test kit: a real server on a free port, its own database, and a provider of embeddings that does as it is told.

pub mod browser;
pub mod cable;
pub mod llm;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod round_robin;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use picard_crypto::{ExposeSecret, FernetKey, KeyRing, SecretString};
use picard_server::{Config, NewAdministrator, RunningServer};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use clap::Parser as _;
use provider::Provider;

pub const ADMIN: (&str, &str) = ("root", "correct horse battery");

/// A server of its own for one test.
pub struct TestServer {
    pub url: String,
    pub provider: Provider,
    pub http: reqwest::Client,
    pub database_url: String,
    pub client_id: String,
    pub client_secret: String,
    key: String,
    running: Option<RunningServer>,
}

/// A test that ends stops its servers, so that their connections do not hold up the removal of its database.
fn stop_soon(running: Option<RunningServer>) {
    if let (Some(running), Ok(runtime)) = (running, tokio::runtime::Handle::try_current()) {
        runtime.spawn(running.stop());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        stop_soon(self.running.take());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        stop_soon(self.running.take());
    }
}

/// Somebody who has connected.
#[derive(Clone)]
pub struct Person {
    pub token: String,
    pub refresh_token: String,
    pub user_id: String,
}

impl Person {
    /// From what the user-token flow answers.
    pub fn from_answer(answer: &Value) -> Self {
        let (token, refresh_token) = (word(&answer["access_token"]), word(&answer["refresh_token"]));
        Self { token, refresh_token, user_id: word(&answer["user_id"]) }
    }
}

impl TestServer {
    /// Starts a server on the test's database, with an administrator and a registered web application.
    pub async fn spawn(pool: &PgPool) -> Self {
        Self::spawn_with(pool, &[]).await
    }

    /// The same with further command line arguments.
    pub async fn spawn_with(pool: &PgPool, arguments: &[&str]) -> Self {
        Self::spawn_at(database_url(pool), arguments).await
    }

    /// The same on a database that is reached in another way.
    pub async fn spawn_at(database_url: String, arguments: &[&str]) -> Self {
        let provider = Provider::spawn().await;
        let given = arguments.iter().skip_while(|argument| **argument != "--encryption-keys").nth(1);
        let key = given.map_or_else(|| FernetKey::generate().encode().expose_secret().to_owned(), ToString::to_string);
        let config = config(&database_url, &key, &provider, arguments);
        let administrator = NewAdministrator {
            username: ADMIN.0.into(),
            email: Some("root@example.org".into()),
            password: SecretString::from(ADMIN.1),
        };
        picard_server::create_admin(&config, administrator).await.expect("an administrator");
        let running = picard_server::start(config).await.expect("a running server");
        let url = format!("http://{}", running.address());
        let mut server = Self {
            url,
            provider,
            http: client(),
            database_url,
            client_id: String::new(),
            client_secret: String::new(),
            key,
            running: Some(running),
        };
        let (id, secret) = server.register_client("Test application", true).await;
        (server.client_id, server.client_secret) = (id, secret);
        server
    }

    /// A second server on the same database: another replica behind the same public URL.
    pub async fn replica(&self) -> Replica {
        self.replica_with(&[]).await
    }

    /// The same with further command line arguments.
    pub async fn replica_with(&self, arguments: &[&str]) -> Replica {
        let arguments: Vec<&str> = ["--public-url", &self.url].into_iter().chain(arguments.iter().copied()).collect();
        let config = config(&self.database_url, &self.key, &self.provider, &arguments);
        let running = picard_server::start(config).await.expect("a second server");
        Replica { url: format!("http://{}", running.address()), running: Some(running) }
    }

    /// The command line of another server on the same database, behind the same public URL.
    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let more: Vec<&str> = ["--public-url", &self.url].into_iter().chain(more.iter().copied()).collect();
        arguments(&self.database_url, &self.key, &self.provider, &more)
    }

    /// What `picard-server rotate-signing-key` does, in a process of its own.
    pub async fn rotate_signing_key(&self) -> String {
        let config = config(&self.database_url, &self.key, &self.provider, &["--public-url", &self.url]);
        picard_server::rotate_signing_key(&config).await.expect("a new key")
    }

    /// The web application that most people are signed in through.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").address()
    }

    /// Stops it the way a deployment does.
    pub async fn stop(mut self) {
        self.running.take().expect("it runs").stop().await.expect("a clean stop");
    }

    /// The same for a server whose clients and settings are still needed.
    pub async fn halt(&mut self) {
        self.running.take().expect("it runs").stop().await.expect("a clean stop");
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// The key that encrypts what this server stores, as it stands in the configuration.
    pub fn key(&self) -> String {
        self.key.clone()
    }

    /// The same key, ready for use.
    pub fn key_ring(&self) -> KeyRing {
        KeyRing::parse(&self.key).expect("the server's keys")
    }

    /// Registers a client as the administrator; the secret is empty for a public one.
    pub async fn register_client(&self, name: &str, is_confidential: bool) -> (String, String) {
        let body = json!({
            "client_name": name, "redirect_uris": ["https://app.example.com/cb"],
            "scopes": ["memories:read", "memories:write"], "is_confidential": is_confidential,
        });
        let response = self
            .post("/api/admin/clients/register")
            .basic_auth(ADMIN.0, Some(ADMIN.1))
            .json(&body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer: Value = response.json().await.expect("JSON");
        (word(&answer["client_id"]), answer["client_secret"].as_str().unwrap_or_default().to_owned())
    }

    /// Asks for a person's tokens with the web application's credentials.
    pub async fn user_token(&self, more: Value) -> Response {
        let mut body = json!({ "client_id": self.client_id, "client_secret": self.client_secret });
        merge(&mut body, more);
        self.post("/api/user-tokens/user-token").json(&body).send().await.expect("an answer")
    }

    /// Connects somebody with the right to read and write.
    pub async fn sign_in(&self, username: &str) -> Person {
        self.sign_in_with(username, "memories:read memories:write").await
    }

    /// Connects somebody with these scopes.
    pub async fn sign_in_with(&self, username: &str, scope: &str) -> Person {
        let response = self.user_token(json!({ "username": username, "create_if_not_exists": true, "scope": scope })).await;
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = response.json().await.expect("JSON");
        Person::from_answer(&answer)
    }

    /// Refreshes with the web application's credentials, at this server or another replica.
    pub async fn refresh_at(&self, url: &str, refresh_token: &str) -> Response {
        self.http
            .post(format!("{url}/token"))
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
            .send()
            .await
            .expect("an answer")
    }

    pub async fn refresh(&self, refresh_token: &str) -> Response {
        self.refresh_at(&self.url, refresh_token).await
    }

    /// Calls a tool and gives back the response as it came.
    pub async fn send_call(&self, person: &Person, tool: &str, data: Value) -> Response {
        let request = self.post("/api/tools").bearer_auth(&person.token).json(&json!({ "tool": tool, "data": data }));
        request.send().await.expect("an answer")
    }

    /// Calls a tool and gives back the whole answer.
    pub async fn try_call(&self, person: &Person, tool: &str, data: Value) -> (StatusCode, Value) {
        let response = self.send_call(person, tool, data).await;
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    }

    /// Calls a tool that has to succeed and gives back its data.
    pub async fn call(&self, person: &Person, tool: &str, data: Value) -> Value {
        let (status, mut answer) = self.try_call(person, tool, data).await;
        assert_eq!(status, StatusCode::OK, "{tool}: {answer}");
        assert_eq!(answer["tool"], tool);
        answer["data"].take()
    }

    /// Calls a tool that has to fail and gives back status and code.
    pub async fn fail(&self, person: &Person, tool: &str, data: Value) -> (u16, String) {
        let (status, answer) = self.try_call(person, tool, data).await;
        assert!(!status.is_success(), "{tool} should have failed: {answer}");
        (status.as_u16(), word(&answer["code"]))
    }

    /// Calls a tool that has to refuse its data and gives back the member that it blames.
    pub async fn blamed(&self, person: &Person, tool: &str, data: Value) -> String {
        let (status, answer) = self.try_call(person, tool, data.clone()).await;
        let shown: String = data.to_string().chars().take(200).collect();
        assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("invalid")), "{tool} {shown}: {answer}");
        word(&answer["errors"][0]["field"])
    }

    /// Whether the person's access token is taken, at this server or another replica.
    pub async fn is_welcome_at(&self, url: &str, token: &str) -> bool {
        let call = json!({ "tool": "retrieve_memories", "data": {} });
        let response = self.http.post(format!("{url}/api/tools")).bearer_auth(token).json(&call).send().await.expect("an answer");
        assert!(matches!(response.status().as_u16(), 200 | 401), "{}", response.status());
        response.status() == StatusCode::OK
    }

    /// Stores a text and gives back the memory's id.
    pub async fn remember(&self, person: &Person, text: &str) -> String {
        word(&self.call(person, "submit_memory", json!({ "text": text })).await["id"])
    }

    /// Stores a text that everybody may see.
    pub async fn publish(&self, person: &Person, text: &str) -> String {
        word(&self.call(person, "submit_memory", json!({ "text": text, "permission": "public" })).await["id"])
    }
}

/// Another server process on the same database.
pub struct Replica {
    pub url: String,
    running: Option<RunningServer>,
}

impl Replica {
    pub async fn stop(mut self) {
        self.running.take().expect("it runs").stop().await.expect("a clean stop");
    }
}

/// Asks every 100 ms whether something has come about, for 40 s at most.
pub async fn eventually(what: &str, check: impl AsyncFn() -> bool) {
    for _ in 0..400 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never came about that {what}");
}

/// Asks the test's database for one number.
/// Compares with a file of the tests, or writes it when UPDATE_GOLDEN=1.
#[expect(clippy::disallowed_methods, reason = "a switch for the person who runs the tests")]
pub fn golden(name: &str, value: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name);
    let now = format!("{value:#}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&file, &now).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(&file).expect("the golden file");
    let first = golden.lines().zip(now.lines()).enumerate().find(|(_, (golden, now))| golden != now);
    assert!(golden == now, "{name} has changed, first at {first:?}; UPDATE_GOLDEN=1 writes it again");
}

pub async fn number(pool: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a number")
}

/// The ids of memories in an answer, in its order.
pub fn ids(page: &Value) -> Vec<String> {
    page["memories"].as_array().expect("memories").iter().map(|memory| word(&memory["id"])).collect()
}

pub fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text instead of {value}")).to_owned()
}

pub fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { panic!("two objects") };
    into.extend(more);
}

pub fn client() -> reqwest::Client {
    client_from([127, 0, 0, 1])
}

/// A client with this address; the whole of 127.0.0.0/8 is this machine.
#[expect(clippy::disallowed_methods, reason = "the tests' one HTTP client")]
pub fn client_from(address: [u8; 4]) -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .local_address(std::net::IpAddr::from(address))
        .build()
        .expect("a client")
}

fn config(database_url: &str, key: &str, provider: &Provider, more: &[&str]) -> Config {
    let arguments = std::iter::once("picard-server".to_owned()).chain(arguments(database_url, key, provider, more));
    Config::try_parse_from(arguments).expect("a configuration")
}

fn arguments(database_url: &str, key: &str, provider: &Provider, more: &[&str]) -> Vec<String> {
    let base_url = provider.base_url();
    let defaults = [
        ("--database-url", database_url),
        ("--server-addr", "127.0.0.1:0"),
        ("--encryption-keys", key),
        ("--database-max-connections", "8"),
        ("--openai-api-key", "test-key"),
        ("--openai-base-url", &base_url),
        ("--embedding-model", "test-embedding"),
        ("--embedding-dimensions", "64"),
        ("--embedding-budget-ms", "2000"),
        // Tests that are about limits set them.
        ("--metrics-addr", "off"),
        ("--token-limit-per-minute", "0"),
        ("--tool-limit-per-minute", "0"),
    ];
    let kept = defaults.into_iter().filter(|(flag, _)| !more.contains(flag)).flat_map(|(flag, value)| [flag, value]);
    kept.chain(more.iter().copied()).map(ToOwned::to_owned).collect()
}

/// The test's database as a URL: that of the cluster with another name at its end.
#[expect(clippy::disallowed_methods, reason = "sqlx::test reads the same variable")]
pub fn database_url(pool: &PgPool) -> String {
    let cluster = std::env::var("DATABASE_URL").expect("DATABASE_URL names the cluster for tests");
    let mut url = url::Url::parse(&cluster).expect("a URL");
    url.set_path(pool.connect_options().get_database().expect("a database"));
    url.into()
}
