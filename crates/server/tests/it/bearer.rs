//! Bearer tokens at every door: what is no token of ours, and what a token of ours allows.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use picard_auth::SigningKey;
use picard_domain::Clock;
use picard_storage::Store;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, number, word};

/// Operations that anybody may call. The list may only shrink.
const PUBLIC: [&str; 23] = [
    "GET /",
    "GET /health",
    "GET /health/liveness",
    "GET /health/readiness",
    "GET /.well-known/jwks.json",
    "GET /.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/oauth-protected-resource/mcp",
    // These want a client's credentials instead.
    "POST /token",
    "POST /revoke",
    "POST /introspect",
    "POST /api/user-tokens/user-token",
    // These are how clients and people begin.
    "POST /register",
    "POST /api/users",
    "GET /authorize",
    "GET /login",
    "GET /signup",
    // These want a form that was shown to the browser; the last page leads to the sign-in.
    "POST /login",
    "POST /signup",
    "POST /logout",
    "POST /consent",
    "POST /connections",
    "GET /connections",
];

/// Signs anything with the server's own key.
struct Forge {
    header: Value,
    claims: Value,
    key: SigningKey,
}

pub fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).expect("a part")).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

impl Forge {
    /// A forger who starts from this person's token.
    async fn new(server: &TestServer, pool: &PgPool, person: &Person) -> Self {
        let store = Store::new(pool.clone(), server.key_ring().into(), Clock::system());
        let stored = store.signing_keys().await.expect("the server's keys").swap_remove(0);
        let key = SigningKey::from_parts(stored.kid, stored.public_jwk, stored.private_key);
        Self { header: part(&person.token, 0), claims: part(&person.token, 1), key }
    }

    fn token(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        change(&mut header, &mut claims);
        signed(&header, &claims, &EncodingKey::from_ec_der(self.key.pkcs8()), Algorithm::ES256)
    }
}

/// One request at each door that takes bearer tokens.
fn doors(server: &TestServer) -> [RequestBuilder; 3] {
    let call = json!({ "tool": "retrieve_memories", "data": {} });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    [
        server.post("/api/tools").json(&call),
        server.post("/mcp").header("accept", "application/json, text/event-stream").json(&message),
        server.post("/api/admin/clients/register").json(&json!({})),
    ]
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

fn challenge(response: &Response) -> &str {
    response.headers()["www-authenticate"].to_str().expect("text")
}

/// Asserts that no door takes the token.
async fn assert_refused(server: &TestServer, token: &str, why: &str) {
    for request in doors(server) {
        let response = send(request.bearer_auth(token)).await;
        assert_eq!(response.status(), 401, "{why} {}", response.url().path());
        assert!(challenge(&response).starts_with("Bearer error=\"invalid_token\""), "JWT-11 {why}: {}", challenge(&response));
        assert_eq!(response.json::<Value>().await.expect("JSON")["code"], "invalid_token", "{why}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_access_token_says_what_rfc_9068_wants(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let (header, claims) = (part(&ada.token, 0), part(&ada.token, 1));

    let keys: Value = send(server.get("/.well-known/jwks.json")).await.json().await.expect("JSON");
    let key = &keys["keys"][0];
    assert_eq!((&header["typ"], &header["alg"], &header["kid"]), (&json!("at+jwt"), &json!("ES256"), &key["kid"]));
    assert!(["d", "p", "q", "k"].iter().all(|private| key.get(*private).is_none()), "JWT-10: {keys}");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.url), &json!(server.url)));
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(ada.user_id), &json!(server.client_id)), "UTK-08");
    assert_eq!(claims["scope"], "memories:read memories:write");
    assert_eq!(claims["exp"].as_i64().expect("a number") - claims["iat"].as_i64().expect("a number"), 3_600);
    let jti: uuid::Uuid = word(&claims["jti"]).parse().expect("a UUID");
    assert_eq!(jti.get_version_num(), 4);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_token_that_is_not_ours_is_refused_at_every_door(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let forge = Forge::new(&server, &pool, &ada).await;
    for audience in [server.url.clone(), format!("{}/mcp", server.url)] {
        let honest = forge.token(|_, claims| claims["aud"] = audience.into());
        let [tools, mcp, admin] = doors(&server).map(|door| door.bearer_auth(&honest));
        let statuses = [send(tools).await.status(), send(mcp).await.status(), send(admin).await.status()];
        assert_eq!(statuses.map(|status| status.as_u16()), [200, 200, 403], "the forger's own work holds at every door");
    }
    let now = forge.claims["iat"].as_i64().expect("a number");
    let url = &server.url;

    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("nOnE")),
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("x\0")),
        ("crit", json!(["exp"])),
    ] {
        assert_refused(
            &server,
            &forge.token(|header, _| header[name] = value.clone()),
            &format!("JWT-01, 05, 06 {name}={value}"),
        )
        .await;
    }
    for (name, value) in [
        ("exp", json!(now - 60)),
        ("exp", json!((now + 60).to_string())),
        ("exp", json!(1e308)),
        ("exp", json!(null)),
        ("exp", json!([])),
        ("iat", json!(now + 90)),
        ("nbf", json!(now + 90)),
        ("nbf", json!("0")),
        ("aud", json!("https://other.example")),
        ("aud", json!([url, "x"])),
        ("aud", json!(format!("{url}/"))),
        ("aud", json!("")),
        ("iss", json!("https://other.example")),
        ("iss", json!(format!("{url}/"))),
        ("sub", json!("root")),
        ("sub", json!(uuid::Uuid::new_v4())),
        ("sid", json!(uuid::Uuid::new_v4())),
        ("client_id", json!(uuid::Uuid::new_v4())),
        ("scope", json!(["memories:read"])),
        ("jti", json!(null)),
    ] {
        assert_refused(
            &server,
            &forge.token(|_, claims| claims[name] = value.clone()),
            &format!("JWT-03, 04, 09 {name}={value}"),
        )
        .await;
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_token_signed_by_others_or_damaged_is_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let forge = Forge::new(&server, &pool, &ada).await;
    let stranger = SigningKey::generate().expect("a key");
    let parts: Vec<&str> = ada.token.split('.').collect();
    let flipped = |index: usize| {
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let place = parts[index].len() / 2;
        let other = if parts[index].as_bytes()[place] == b'A' { "B" } else { "A" };
        parts[index].replace_range(place..=place, other);
        parts.join(".")
    };

    let foreign = signed(&forge.header, &forge.claims, &EncodingKey::from_ec_der(stranger.pkcs8()), Algorithm::ES256);
    assert_refused(&server, &foreign, "JWT-09: another issuer's key under our key's name").await;
    let jwk = forge.key.public_jwk().to_string();
    let mut hs256 = forge.header.clone();
    hs256["alg"] = "HS256".into();
    for secret in [jwk.as_bytes(), forge.key.public_jwk()["x"].as_str().expect("x").as_bytes()] {
        let token = signed(&hs256, &forge.claims, &EncodingKey::from_secret(secret), Algorithm::HS256);
        assert_refused(&server, &token, "JWT-02").await;
    }
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    for (token, why) in [
        (flipped(0), "JWT-07 header"),
        (flipped(1), "JWT-07 payload"),
        (flipped(2), "JWT-07 signature"),
        (format!("{head}.{body}."), "JWT-01: no signature"),
        (format!("{head}.{body}"), "JWT-07: two parts"),
        (format!("{head}.{body}.{}", &signature[..signature.len() - 2]), "JWT-07: cut"),
        (format!("{}.x", ada.token), "JWT-07: four parts"),
        (format!("{}==", ada.token), "JWT-07: padding"),
        (format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])), "JWT-12: r = s = 0"),
        (
            format!("{head}.{body}.{}", STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).expect("bytes"))),
            "JWT-07: other alphabet",
        ),
        ("x".to_owned(), "JWT-07"),
        ("..".to_owned(), "JWT-07"),
        ("x".repeat(60_000), "JWT-07: long"),
    ] {
        assert_refused(&server, &token, why).await;
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_token_of_another_server_is_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    // The same database and keys, but another public URL.
    let elsewhere = TestServer::spawn_at(
        server.database_url.clone(),
        &["--public-url", "http://other.example", "--encryption-keys", &server.key()],
    )
    .await;

    assert!(server.is_welcome_at(&server.url, &ada.token).await);
    assert!(!server.is_welcome_at(&elsewhere.url, &ada.token).await, "JWT-04");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_one_authorization_header_counts_and_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let call = json!({ "tool": "retrieve_memories", "data": {} });
    let at = |path: &str| server.post(path).json(&call);
    let token = &ada.token;

    for request in [
        at(&format!("/api/tools?access_token={token}")),
        at("/api/tools").header("cookie", format!("access_token={token}")),
        at("/api/tools").header("authorization", token.as_str()),
        at("/api/tools").header("authorization", format!("Token {token}")),
        at("/api/tools").header("authorization", "Bearer"),
        at("/api/tools").header("authorization", "Bearer "),
        at("/api/tools").header("authorization", format!("Bearer {token} {token}")),
        at("/api/tools").header("authorization", format!("Bearer {token}")).header("authorization", format!("Bearer {token}")),
        server.post("/api/tools").form(&[("access_token", token)]),
        server.post(&format!("/mcp?access_token={token}")).json(&call),
    ] {
        assert_eq!(send(request).await.status(), 401, "JWT-08");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = at("/api/tools").header("authorization", format!("{scheme} {token}"));
        assert_eq!(send(request).await.status(), 200, "RFC 9110: the scheme's case does not matter");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_a_token_the_challenge_leads_on_and_blames_nobody(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for (request, metadata) in doors(&server).into_iter().zip(["", "/mcp", ""]) {
        let response = send(request).await;
        assert_eq!(response.status(), 401);
        let url = format!("{}/.well-known/oauth-protected-resource{metadata}", server.url);
        assert!(challenge(&response).contains(&format!("resource_metadata=\"{url}\"")), "JWT-11: {}", challenge(&response));
        assert!(!challenge(&response).contains("error="), "JWT-11: {}", challenge(&response));

        let document: Value = send(server.http.get(&url)).await.json().await.expect("JSON");
        let resource = if metadata == "/mcp" { format!("{}/mcp", server.url) } else { server.url.clone() };
        assert_eq!(
            (&document["resource"], &document["authorization_servers"]),
            (&json!(resource), &json!([server.url])),
            "TOK-16"
        );
        assert_eq!(document["scopes_supported"], json!(["memories:read", "memories:write"]), "TOK-16");
        assert_eq!(document["bearer_methods_supported"], json!(["header"]), "TOK-16");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_operation_needs_a_token_unless_it_is_on_the_public_list(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let document: Value = send(server.get("/openapi.json")).await.json().await.expect("JSON");
    let mut open = Vec::new();

    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            let method: Method = method.to_uppercase().parse().expect("a method");
            let response = send(server.request(method, path).json(&json!({}))).await;
            if PUBLIC.contains(&operation.as_str()) {
                open.push(operation);
            } else {
                assert_eq!(response.status(), 401, "SCO-01 {operation}");
            }
        }
    }

    assert_eq!(open.len(), PUBLIC.len(), "the list names nothing that is not there: {open:?}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_tool_needs_exactly_its_scope(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;
    let forge = Forge::new(&server, &pool, &ada).await;
    let with = |scope: &str| Person { token: forge.token(|_, claims| claims["scope"] = scope.into()), ..ada.clone() };
    let everything = number(&pool, "SELECT sum(version)::bigint FROM memories").await;

    for (tool, needs, data) in [
        ("get_memory", "memories:read", json!({ "memory_id": id })),
        ("get_memories", "memories:read", json!({})),
        ("retrieve_memories", "memories:read", json!({})),
        ("query_memory", "memories:read", json!({ "query": "tea" })),
        ("submit_memory", "memories:write", json!({ "text": "x" })),
        ("update_memory", "memories:write", json!({ "memory_id": id, "text": "x" })),
        ("modify_permissions", "memories:write", json!({ "memory_id": id, "permission": "public" })),
        ("delete_memory", "memories:write", json!({ "memory_id": id })),
    ] {
        let other = if needs == "memories:read" { "memories:write" } else { "memories:read" };
        for scope in ["", "memories:admin", other, &format!("{other} memories:admin")] {
            let response = server.send_call(&with(scope), tool, data.clone()).await;
            assert_eq!(response.status(), 403, "SCO-02, SCO-03 {tool} {scope:?}");
            let wanted = format!("Bearer error=\"insufficient_scope\", scope=\"{needs}\"");
            assert!(challenge(&response).starts_with(&wanted), "JWT-11 {tool}: {}", challenge(&response));
            assert_eq!(response.json::<Value>().await.expect("JSON")["code"], "insufficient_scope");
        }
        // Who may not call a tool learns nothing of its data.
        assert_eq!(server.fail(&with(other), tool, json!({ "nonsense": 1 })).await.0, 403, "{tool}");
        if needs == "memories:read" {
            server.call(&with(needs), tool, data).await;
        }
    }
    assert_eq!(number(&pool, "SELECT sum(version)::bigint FROM memories").await, everything, "SCO-02: nothing was changed");
    let writer = with("memories:write");
    let written = server.call(&writer, "submit_memory", json!({ "text": "x" })).await;
    for (tool, more) in [
        ("update_memory", json!({ "text": "y" })),
        ("modify_permissions", json!({ "permission": "public" })),
        ("delete_memory", json!({})),
    ] {
        let mut data = json!({ "memory_id": written["id"] });
        crate::kit::merge(&mut data, more);
        server.call(&writer, tool, data).await;
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_administration_needs_the_scope_and_the_flag(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let forge = Forge::new(&server, &pool, &ada).await;
    let all = "UPDATE clients SET scopes = '{memories:read,memories:write,memories:admin}'";
    sqlx::query(all).execute(&pool).await.expect("an update");
    let register = async |scope: &str| {
        let token = forge.token(|_, claims| claims["scope"] = scope.into());
        let body = json!({ "client_name": "App", "redirect_uris": ["https://a.com/cb"], "scopes": ["memories:read"] });
        send(server.post("/api/admin/clients/register").bearer_auth(token).json(&body)).await.status().as_u16()
    };
    let before = number(&pool, "SELECT count(*) FROM clients").await;

    assert_eq!(register("memories:admin").await, 403, "REG-01: the scope without the flag");
    sqlx::query("UPDATE users SET is_superuser = true WHERE username = 'ada'").execute(&pool).await.expect("an update");
    assert_eq!(register("memories:read memories:write").await, 403, "the flag without the scope");
    assert_eq!(number(&pool, "SELECT count(*) FROM clients").await, before, "REG-01: nothing was stored");
    assert_eq!(register("memories:admin").await, 201);
    sqlx::query("UPDATE users SET is_superuser = false WHERE username = 'ada'").execute(&pool).await.expect("an update");
    assert_eq!(register("memories:admin").await, 403, "SCO-04: the flag is read at this moment");
}
