//! Authorization codes at the token endpoint.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::{Browser, Flow};
use crate::kit::{ADMIN, TestServer, number, word};

const LIVE_FAMILIES: &str = "SELECT count(*) FROM grants WHERE revoked_at IS NULL";

async fn world(pool: &PgPool) -> (TestServer, Browser, Flow) {
    let server = TestServer::spawn(pool).await;
    let browser = Browser::of(&server, "ada").await;
    let flow = server.flow().with("prompt", Some("consent"));
    (server, browser, flow)
}

async fn post(server: &TestServer, form: &[(&str, String)], basic: Option<(&str, &str)>) -> (u16, String) {
    let mut request = server.post("/token").form(form);
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_code_gives_tokens_once_and_ends_them_when_it_comes_back(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let replica = server.replica().await;
    let code = browser.code(&flow).await;

    let request = server.post("/token").basic_auth(&server.client_id, Some(&server.client_secret)).form(&flow.exchange(&code));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200, "TOK-01");
    for (name, value) in [("cache-control", "no-store"), ("pragma", "no-cache"), ("content-type", "application/json")] {
        assert_eq!(response.headers()[name], value, "TOK-01");
    }
    let tokens: Value = response.json().await.expect("JSON");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)), "TOK-01");
    let (access, refresh) = (word(&tokens["access_token"]), word(&tokens["refresh_token"]));
    assert!(server.is_welcome_at(&replica.url, &access).await);

    let (status, body) = server.exchange(&flow, &code).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "TOK-02");
    for url in [&server.url, &replica.url] {
        assert!(!server.is_welcome_at(url, &access).await, "TOK-02");
        assert_eq!(server.refresh_at(url, &refresh).await.status(), 400, "TOK-02");
    }
    assert_eq!(number(&pool, LIVE_FAMILIES).await, 0, "TOK-02");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn another_client_can_neither_use_nor_burn_a_code(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let (other_id, other_secret) = server.register_client("Other", true).await;
    let code = browser.code(&flow).await;
    let form = flow.exchange(&code);
    let other = Some((other_id.as_str(), other_secret.as_str()));

    for _ in 0..6 {
        assert_eq!(post(&server, &form, other).await, (400, "invalid_grant".to_owned()), "TOK-04");
    }
    let (status, tokens) = server.exchange(&flow, &code).await;
    assert_eq!(status, 200, "TOK-04: the code is not burnt");
    assert_eq!(post(&server, &form, other).await, (400, "invalid_grant".to_owned()), "TOK-04");
    assert!(server.is_welcome_at(&server.url, &word(&tokens["access_token"])).await, "TOK-04: nor are its tokens");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn five_failed_tries_burn_a_code(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let credentials = Some((server.client_id.as_str(), server.client_secret.as_str()));
    let code = browser.code(&flow).await;
    let challenge = picard_crypto::pkce_s256(&flow.verifier);
    let wrong = [None, Some("a".repeat(42)), Some("a".repeat(129)), Some(challenge)];
    for verifier in wrong {
        let mut form = flow.exchange(&code);
        form.retain(|(name, _)| *name != "code_verifier");
        form.extend(verifier.clone().map(|verifier| ("code_verifier", verifier)));
        assert_eq!(post(&server, &form, credentials).await, (400, "invalid_grant".to_owned()), "TOK-07 {verifier:?}");
    }

    let mut form = flow.exchange(&code);
    form.retain(|(name, _)| *name != "redirect_uri");
    assert_eq!(post(&server, &form, credentials).await, (400, "invalid_grant".to_owned()), "TOK-06: the fifth");
    assert_eq!(server.exchange(&flow, &code).await.0, 400, "TOK-07: burnt");

    let code = browser.code(&flow).await;
    for _ in 0..4 {
        let mut form = flow.exchange(&code);
        form.push(("redirect_uri", "https://app.example.com/other".to_owned()));
        form.remove(2);
        assert_eq!(post(&server, &form, credentials).await.1, "invalid_grant", "TOK-06");
    }
    assert_eq!(server.exchange(&flow, &code).await.0, 200, "four are forgiven");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_code_dies_with_what_it_depends_on(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let late = browser.code(&flow).await;
    sqlx::query("UPDATE authorization_codes SET expires_at = now() - interval '1 second'")
        .execute(&pool)
        .await
        .expect("an update");
    assert_eq!(server.exchange(&flow, &late).await.1["error"], "invalid_grant", "TOK-05, AUT-14: too late");
    let lifetime = "SELECT extract(epoch FROM max(expires_at) - now())::bigint FROM authorization_codes";

    let withdrawn = browser.code(&flow).await;
    assert!((50..=60).contains(&number(&pool, lifetime).await), "AUT-14");
    let connections = browser.get("/connections").await;
    let form = [("csrf", connections.field("csrf")), ("client_id", server.client_id.clone())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/connections", &form).await.status, 303);
    assert_eq!(server.exchange(&flow, &withdrawn).await.1["error"], "invalid_grant", "TOK-05: withdrawn");

    let inactive = browser.code(&flow).await;
    let me = "SELECT id::text FROM users WHERE username = 'ada'";
    let id: String = sqlx::query_scalar(me).fetch_one(&pool).await.expect("an id");
    let request = server.request(reqwest::Method::PATCH, &format!("/api/admin/users/{id}")).basic_auth(ADMIN.0, Some(ADMIN.1));
    assert_eq!(request.json(&json!({ "is_active": false })).send().await.expect("an answer").status(), 200);
    assert_eq!(server.exchange(&flow, &inactive).await.1["error"], "invalid_grant", "TOK-05: deactivated");
    assert_eq!(number(&pool, LIVE_FAMILIES).await, 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_database_holds_hashes_and_always_a_challenge(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let code = browser.code(&flow).await;
    assert!(code.len() >= 43, "AUT-14: 256 bits");

    let dump: String =
        sqlx::query_scalar("SELECT string_agg(c::text, ' ') FROM authorization_codes c").fetch_one(&pool).await.expect("rows");
    assert!(!dump.contains(&code), "AUT-14, REF-10");
    let cookies = browser.cookies();
    let cookie = cookies.values().next().expect("a cookie");
    let sessions: String =
        sqlx::query_scalar("SELECT string_agg(s::text, ' ') FROM sessions s").fetch_one(&pool).await.expect("rows");
    assert!(!sessions.contains(cookie), "REF-10");
    for without in ["code_challenge = ''", "code_challenge = NULL"] {
        let statement = format!("UPDATE authorization_codes SET {without}");
        assert!(sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.is_err(), "TOK-08: no row without a challenge");
    }
    assert_eq!(server.exchange(&flow, &code).await.0, 200);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_fifty_parallel_exchanges_at_two_replicas_one_wins(pool: PgPool) {
    let (server, browser, flow) = world(&pool).await;
    let replica = server.replica().await;

    for _ in 0..3 {
        let code = browser.code(&flow).await;
        let urls = [&server.url, &replica.url];
        let exchanges = (0..50).map(|number| server.exchange_at(urls[number % 2], &flow, &code));
        let answers = futures_util::future::join_all(exchanges).await;
        let winners = answers.iter().filter(|(status, _)| *status == 200).count();
        let losers = answers.iter().filter(|(status, body)| *status == 400 && body["error"] == "invalid_grant").count();
        assert_eq!((winners, losers), (1, 49), "TOK-03 {answers:?}");
        assert_eq!(number(&pool, LIVE_FAMILIES).await, 0, "TOK-03: by policy, a code that comes back ends what came of it");
    }
}
