//! A Picard server that does what a test tells it to: accounts, tokens and a few memories, all in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::{Form, Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{fake_admin, fake_groups, fake_personas, fake_profile, fake_tools, fake_transfers};

pub(crate) const CLIENT_ID: &str = "0b5e9fbc-7d0b-4b1b-8f5e-5f3c1b7a2d11";
pub(crate) const CLIENT_SECRET: &str = "a-secret-of-the-tests-that-is-long-enough-0123";

/// What goes wrong at an address of the server.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It answers this instead.
    Says(u16, Value),
    /// It answers something that is no JSON.
    Babbles(String),
    /// It takes the request and says nothing.
    Hangs,
}

/// What the server knows and has seen.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    pub(crate) people: HashMap<String, Uuid>,
    pub(crate) access_tokens: HashMap<String, Uuid>,
    pub(crate) refresh_tokens: HashMap<String, Uuid>,
    /// What each person allows.
    pub(crate) scopes: HashMap<Uuid, String>,
    pub(crate) revoked: HashSet<String>,
    pub(crate) memories: Vec<Value>,
    /// What changed memories said before, the oldest first.
    pub(crate) versions: Vec<Value>,
    /// What was searched for.
    pub(crate) queries: Vec<Value>,
    /// What happened to whoever asks.
    pub(crate) events: Vec<Value>,
    /// How often all memories were counted.
    pub(crate) counted: usize,
    /// What was imported.
    pub(crate) imports: Vec<Value>,
    pub(crate) profile: Value,
    /// Accounts that were deleted.
    pub(crate) deletions: usize,
    /// Groups of everybody.
    pub(crate) groups: Vec<Value>,
    pub(crate) personas: Vec<Value>,
    /// What personas were asked.
    pub(crate) asked: Vec<Value>,
    /// What the log of questions says.
    pub(crate) questions: Vec<Value>,
    /// Who is not answered.
    pub(crate) blocks: HashSet<Uuid>,
    /// What administrators did: method and path.
    pub(crate) administered: Vec<String>,
    /// This application, as it is registered.
    pub(crate) client: Value,
    pub(crate) mints: Vec<Value>,
    pub(crate) refreshes: usize,
    /// Codes that wait, with whose they are and their challenge.
    pub(crate) codes: HashMap<String, (Uuid, String)>,
    /// How often codes were brought.
    pub(crate) redeemed: usize,
    pub(crate) reuses: usize,
    pub(crate) tool_calls: usize,
    /// A tool that does what it shall, and whose answers are lost.
    pub(crate) unanswered: Option<&'static str>,
    /// A tool that is away.
    pub(crate) away: Option<&'static str>,
    /// Personas that the directory shows of somebody.
    pub(crate) listed: HashMap<Uuid, Value>,
    pub(crate) troubles: HashMap<&'static str, Trouble>,
    pub(crate) issued: Vec<String>,
}

pub(super) type Shared = Arc<Mutex<Memo>>;

/// The server, until it is dropped.
pub(crate) struct FakeServer {
    url: String,
    memo: Shared,
    task: JoinHandle<()>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let memo = Shared::default();
        let router = Router::new()
            .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
            .route("/api/user-tokens/user-token", post(mint))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .route("/api/tools", post(tools))
            .route("/api/users/me/analytics", get(analytics))
            .route("/api/users/me/activity", get(activity))
            .route("/api/connections", get(connections))
            .route("/api/memories/import", post(fake_transfers::import).layer(DefaultBodyLimit::disable()))
            .route("/api/imports/{id}", get(fake_transfers::progress))
            .route("/api/memories/export", get(fake_transfers::export))
            .route("/api/users/me", get(fake_profile::show).patch(fake_profile::change).delete(fake_profile::delete))
            .route("/api/users", get(directory))
            .route("/api/groups", get(fake_groups::list).post(fake_groups::create))
            .route("/api/groups/{id}", get(fake_groups::show).patch(fake_groups::rename).delete(fake_groups::delete))
            .route("/api/groups/{id}/members/{user_id}", put(fake_groups::add).delete(fake_groups::remove))
            .route("/api/personas/questions", get(fake_personas::questions))
            .route("/api/personas/blocks", get(fake_personas::blocks))
            .route("/api/personas/blocks/{id}", put(fake_personas::set_block).delete(fake_personas::set_block))
            .route("/api/admin/stats", get(fake_admin::stats))
            .route("/api/admin/users", get(fake_admin::users))
            .route("/api/admin/users/{id}", patch(fake_admin::change).delete(fake_admin::change))
            .route("/api/admin/tokens/revoke", post(fake_admin::change))
            .route("/api/admin/clients", get(fake_admin::clients))
            .route("/api/admin/clients/{id}", get(fake_admin::client).put(fake_admin::update).delete(fake_admin::change))
            .route("/api/admin/clients/{id}/secret", post(fake_admin::secret))
            .route("/api/admin/clients/register", post(register))
            .with_state(memo.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, memo, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().expect("a lock")
    }

    /// From now on, that address is in trouble.
    pub(crate) fn trouble(&self, path: &'static str, trouble: Trouble) {
        self.memo().troubles.insert(path, trouble);
    }

    /// What it says of itself.
    pub(crate) fn metadata(&self) -> Value {
        metadata_of(&self.url)
    }

    /// Somebody signs in there and allows what was asked for: the code.
    pub(crate) fn allow(&self, username: &str, asked: &HashMap<String, String>) -> String {
        let mut memo = self.memo();
        let person = *memo.people.entry(username.to_owned()).or_insert_with(Uuid::new_v4);
        memo.scopes.insert(person, asked["scope"].clone());
        let code = format!("code-{}", Uuid::new_v4());
        memo.codes.insert(code.clone(), (person, asked["code_challenge"].clone()));
        code
    }

    pub(crate) fn no_more_trouble(&self) {
        self.memo().troubles.clear();
    }

    pub(crate) fn expire_access_tokens(&self) {
        self.memo().access_tokens.clear();
    }
}

pub(super) async fn troubled(memo: &Shared, path: &str) -> Option<Response> {
    let trouble = memo.lock().expect("a lock").troubles.get(path).cloned()?;
    Some(match trouble {
        Trouble::Hangs => std::future::pending().await,
        Trouble::Says(status, body) => {
            (StatusCode::from_u16(status).expect("a status"), [("retry-after", "7")], Json(body)).into_response()
        }
        Trouble::Babbles(text) => text.into_response(),
    })
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

fn grant(memo: &mut Memo, person: Uuid) -> Value {
    let (access, refresh) = (format!("access-{}", Uuid::new_v4()), format!("refresh-{}", Uuid::new_v4()));
    memo.access_tokens.insert(access.clone(), person);
    memo.refresh_tokens.insert(refresh.clone(), person);
    memo.issued.extend([access.clone(), refresh.clone()]);
    json!({
        "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600,
        "scope": memo.scopes[&person], "user_id": person,
    })
}

async fn mint(State(memo): State<Shared>, Json(body): Json<Value>) -> Response {
    if let Some(response) = troubled(&memo, "/api/user-tokens/user-token").await {
        return response;
    }
    if body["client_id"] != CLIENT_ID || body["client_secret"] != CLIENT_SECRET {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let mut memo = memo.lock().expect("a lock");
    let username = body["username"].as_str().expect("a username").to_owned();
    if body["create_if_not_exists"] != true && !memo.people.contains_key(&username) {
        return problem(StatusCode::NOT_FOUND, "user_not_found");
    }
    let scope = body["scope"].as_str().expect("a scope").to_owned();
    memo.mints.push(body);
    let person = *memo.people.entry(username).or_insert_with(Uuid::new_v4);
    memo.scopes.insert(person, scope);
    Json(grant(&mut memo, person)).into_response()
}

/// Whether the client authenticates by HTTP Basic; the tests' id and secret need no encoding.
fn knows(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"Basic MGI1ZTlmYmM"))
}

async fn metadata(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    troubled(&memo, "/.well-known/oauth-authorization-server")
        .await
        .unwrap_or_else(|| Json(metadata_of(&format!("http://{host}"))).into_response())
}

fn metadata_of(url: &str) -> Value {
    json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": true,
    })
}

async fn token(state: State<Shared>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    if form["grant_type"] != "authorization_code" {
        return refresh(state, headers, Form(form)).await;
    }
    let mut memo = state.0.lock().expect("a lock");
    memo.redeemed += 1;
    let Some((person, challenge)) = memo.codes.remove(&form["code"]).filter(|_| knows(&headers)) else {
        return problem(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    if picard_crypto::pkce_s256(&form["code_verifier"]) != challenge || !form["redirect_uri"].ends_with("/oauth/callback") {
        return problem(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let mut answer = grant(&mut memo, person);
    answer.as_object_mut().expect("an object").remove("user_id");
    Json(answer).into_response()
}

async fn refresh(State(memo): State<Shared>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    memo.lock().expect("a lock").refreshes += 1;
    if let Some(response) = troubled(&memo, "/token").await {
        return response;
    }
    if !knows(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    // Long enough for everybody else to arrive meanwhile.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut memo = memo.lock().expect("a lock");
    match memo.refresh_tokens.remove(&form["refresh_token"]) {
        Some(person) => Json(grant(&mut memo, person)).into_response(),
        None => {
            memo.reuses += 1;
            problem(StatusCode::BAD_REQUEST, "invalid_grant")
        }
    }
}

async fn revoke(State(memo): State<Shared>, Form(form): Form<HashMap<String, String>>) -> Response {
    if let Some(response) = troubled(&memo, "/revoke").await {
        return response;
    }
    let mut memo = memo.lock().expect("a lock");
    memo.refresh_tokens.remove(&form["token"]);
    memo.revoked.insert(form["token"].clone());
    StatusCode::OK.into_response()
}

async fn register(State(memo): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if !fake_admin::is_administrator(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    assert_eq!(body["is_confidential"], true);
    let mut client = body;
    client["client_id"] = json!(CLIENT_ID);
    memo.lock().expect("a lock").client = client;
    (StatusCode::CREATED, Json(json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}))).into_response()
}

async fn tools(State(memo): State<Shared>, headers: HeaderMap, Json(call): Json<Value>) -> Response {
    memo.lock().expect("a lock").tool_calls += 1;
    if let Some(response) = troubled(&memo, "/api/tools").await {
        return response;
    }
    let mut memo = memo.lock().expect("a lock");
    let Some(person) = bearer(&memo, &headers) else {
        return (StatusCode::UNAUTHORIZED, Json(json!({"code": "invalid_token"}))).into_response();
    };
    let tool = call["tool"].as_str().expect("a tool");
    let away = (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"code": "unavailable"})));
    if memo.away == Some(tool) {
        return away.into_response();
    }
    if tool == "query_user" {
        return fake_personas::answer(&mut memo, person, &call["data"]);
    }
    match fake_tools::call(&mut memo, person, tool, &call["data"]) {
        _ if memo.unanswered == Some(tool) => away.into_response(),
        Ok(data) => Json(json!({"tool": tool, "data": data})).into_response(),
        Err((status, body)) => (status, Json(body)).into_response(),
    }
}

/// Whose token it is.
pub(super) fn bearer(memo: &Memo, headers: &HeaderMap) -> Option<Uuid> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    token.strip_prefix("Bearer ").and_then(|token| memo.access_tokens.get(token)).copied()
}

async fn analytics(State(memo): State<Shared>, headers: HeaderMap) -> Response {
    memo.lock().expect("a lock").counted += 1;
    let memo = memo.lock().expect("a lock");
    let Some(person) = bearer(&memo, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let own: Vec<&Value> = memo.memories.iter().filter(|memory| memory["user_id"] == json!(person)).collect();
    let tags = own.iter().flat_map(|memory| memory["tags"].as_array().cloned().unwrap_or_default());
    let categories = own.iter().map(|memory| memory["category"].clone()).filter(Value::is_string);
    let tags: Vec<Value> = tags.map(|tag| json!({"tag": tag, "count": 1})).collect();
    let categories: Vec<Value> = categories.map(|category| json!({"category": category, "count": 1})).collect();
    let months = json!([{"month": "2026-02", "count": 1}, {"month": "2026-01", "count": 2}]);
    let total = json!({"total": own.len(), "private": own.len()});
    Json(json!({"memories": total, "tags": tags, "categories": categories, "months": months})).into_response()
}

async fn directory(State(memo): State<Shared>, headers: HeaderMap, Query(query): Query<HashMap<String, String>>) -> Response {
    if let Some(response) = troubled(&memo, "/api/users").await {
        return response;
    }
    let memo = memo.lock().expect("a lock");
    if bearer(&memo, &headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let wanted = query.get("query").cloned().unwrap_or_default();
    let found = memo.people.iter().filter(|(name, _)| name.contains(&wanted));
    let users: Vec<Value> =
        found.map(|(name, id)| json!({"id": id, "username": name, "display_name": null, "personas": memo.listed.get(id).cloned().unwrap_or(json!([]))})).collect();
    Json(json!({"users": users, "next_cursor": null})).into_response()
}

async fn activity(State(memo): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let memo = memo.lock().expect("a lock");
    let is_wanted = |event: &&Value| query.get("event").is_none_or(|wanted| event["event"] == wanted.as_str());
    let events: Vec<Value> = memo.events.iter().filter(is_wanted).cloned().collect();
    Json(json!({"events": events, "next_cursor": "more & more"})).into_response()
}

async fn connections() -> Response {
    let connection = json!({"client_id": CLIENT_ID, "client_name": "My <b>editor</b>", "scopes": ["memories:read"]});
    Json(json!({"connections": [connection]})).into_response()
}
