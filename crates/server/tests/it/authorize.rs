//! The authorization endpoint.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::{Browser, Flow};
use crate::kit::{ADMIN, TestServer, number, word};

const CODES: &str = "SELECT count(*) FROM authorization_codes";

async fn error_of(browser: &Browser, flow: &Flow) -> String {
    let answer = browser.get(&flow.path()).await.answer();
    assert!(!answer.contains_key("code"), "{answer:?}");
    answer["error"].clone()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn whom_nobody_knows_gets_a_page_and_no_redirect(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let flow = server.flow();

    for wrong in [
        flow.clone().with("client_id", Some("6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11")),
        flow.clone().with("client_id", Some("<script>alert(1)</script>")),
        flow.clone().with("client_id", None),
        flow.clone().with("client_id", Some("https://app.example.com/client.json")),
        flow.clone().with("redirect_uri", Some("https://evil.example.com/cb")),
        flow.clone().with("redirect_uri", Some("https://app.example.com/cb?bar=foo")),
        flow.clone().with("redirect_uri", Some("https://app.example.com/cb/")),
        flow.clone().with("redirect_uri", Some("https://APP.example.com/cb")),
        flow.clone().with("redirect_uri", Some("https://app.example.com:444/cb")),
        flow.clone().with("redirect_uri", Some("https://app.example.com.evil.com/cb")),
        flow.clone().with("redirect_uri", Some("javascript:alert(1)")),
        flow.clone().with("state", Some(&"x".repeat(10_000))),
    ] {
        let page = browser.get(&wrong.path()).await;
        assert_eq!((page.status, page.location()), (StatusCode::BAD_REQUEST, ""), "AUT-01, AUT-02, AUT-08, SSR-03 {wrong:?}");
        assert!(page.header("content-type").starts_with("text/html") && !page.body.contains("<script"), "AUT-01");
    }
    for twice in ["client_id", "redirect_uri", "code_challenge", "state", "scope"] {
        let page = browser.get(&format!("{}&{twice}=x", flow.path())).await;
        assert_eq!((page.status, page.location()), (StatusCode::BAD_REQUEST, ""), "AUT-11 {twice}");
    }
    assert_eq!(number(&pool, CODES).await, 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_wrong_otherwise_goes_back_to_the_client(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let flow = server.flow();

    for (name, value, expected) in [
        ("response_type", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("scope", Some("memories:admin"), "invalid_scope"),
        ("scope", Some("everything"), "invalid_scope"),
        ("resource", Some("https://other.example.org/"), "invalid_target"),
        ("prompt", Some("none"), "consent_required"),
        ("prompt", Some("none login"), "invalid_request"),
    ] {
        let wrong = flow.clone().with(name, value);
        assert_eq!(error_of(&browser, &wrong).await, expected, "AUT-04 to AUT-13 {name} {value:?}");
        let answer = browser.get(&wrong.path()).await.answer();
        assert_eq!((&answer["state"], &answer["iss"]), (&"a state".to_owned(), &server.url), "AUT-04, AUT-09");
    }
    let stranger = Browser::new(&server.url);
    assert_eq!(error_of(&stranger, &flow.clone().with("prompt", Some("none"))).await, "login_required", "AUT-13");
    assert_eq!(number(&pool, CODES).await, 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn state_and_issuer_come_back_byte_for_byte(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let without = server.flow().with("state", None);

    for state in ["%00%FF%C3%28%F0", "a+b%20c%2Bd", "%7B%22x%22%3A1%7D", &"%A7".repeat(600)] {
        // The person is not signed in yet, so the state travels through the sign-in page, too.
        let stranger = Browser::new(&server.url);
        let path = format!("{}&state={state}", without.path());
        let sign_in = stranger.get(&path).await;
        assert_eq!(sign_in.status, StatusCode::SEE_OTHER);
        let login = stranger.get(sign_in.location()).await;
        let form = [
            ("csrf", &*login.field("csrf")),
            ("next", &*login.field("next")),
            ("username", "ada"),
            ("password", "four unrelated words"),
        ];
        let signed_in = stranger.post("/login", &form).await;
        assert_eq!(signed_in.status, StatusCode::SEE_OTHER, "AUT-15");
        let question = stranger.get(signed_in.location()).await;
        let form = [("csrf", &*question.field("csrf")), ("request", &*question.field("request")), ("decision", "deny")];
        let back = stranger.post("/consent", &form).await;
        let iss = server.url.replace(':', "%3A").replace('/', "%2F");
        assert!(back.location().ends_with(&format!("&state={state}&iss={iss}")), "AUT-08, AUT-09 {}", back.location());
        assert_eq!(back.answer()["error"], "access_denied");
    }
    let answer = browser.decide(&without, "allow").await.answer();
    assert!(answer.contains_key("code") && !answer.contains_key("state"), "AUT-08");
    let huge = browser.get(&format!("{}&state={}", without.path(), "x".repeat(64_000))).await;
    assert!(matches!(huge.status.as_u16(), 400 | 414), "AUT-08");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_loopback_client_may_choose_its_port_and_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let id = word(&server.register_itself(json!({})).await["client_id"]);

    let page = browser.decide(&Flow::new(&id, "http://127.0.0.1:51004/cb"), "allow").await;
    assert!(page.location().starts_with("http://127.0.0.1:51004/cb?code="), "AUT-03 {}", page.location());
    for wrong in ["http://127.0.0.1:51004/cb?x=1", "http://127.0.0.2/cb", "http://localhost:51004/cb"] {
        assert_eq!(browser.get(&Flow::new(&id, wrong).path()).await.status, StatusCode::BAD_REQUEST, "AUT-03 {wrong}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_audience_is_the_resource_that_was_asked_for(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let mcp = format!("{}/mcp", server.url);

    for (resource, audience) in [(Some(mcp.as_str()), mcp.as_str()), (None, server.url.as_str())] {
        let flow = server.flow().with("resource", resource);
        let code = browser.get(&flow.path()).await;
        // The second time the application is known, and nobody is asked.
        let code = if code.status == StatusCode::SEE_OTHER { code.answer()["code"].clone() } else { browser.code(&flow).await };
        let (status, tokens) = server.exchange(&flow, &code).await;
        assert_eq!(status, 200, "{tokens}");
        let claims = crate::bearer::part(&word(&tokens["access_token"]), 1);
        assert_eq!(claims["aud"], audience, "AUT-10");
        assert_eq!(claims["client_id"], server.client_id);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_administration_is_only_given_by_superusers(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    sqlx::query("UPDATE clients SET scopes = '{memories:read,memories:admin}'").execute(&pool).await.expect("an update");
    let flow = server.flow().with("scope", Some("memories:read memories:admin"));

    let ada = Browser::of(&server, "ada").await;
    let (_, tokens) = server.exchange(&flow, &ada.code(&flow).await).await;
    assert_eq!(tokens["scope"], "memories:read", "AUT-07");

    let root = Browser::new(&server.url);
    root.sign_in(ADMIN.0, ADMIN.1).await;
    let (_, tokens) = server.exchange(&flow, &root.code(&flow).await).await;
    assert_eq!(tokens["scope"], "memories:read memories:admin", "AUT-07");
    let stats = server.get("/api/admin/stats").bearer_auth(word(&tokens["access_token"])).send().await.expect("an answer");
    assert_eq!(stats.status(), StatusCode::OK);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn asking_for_nothing_gives_the_least(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;

    let flow = server.flow().with("scope", None);
    let (_, tokens) = server.exchange(&flow, &browser.code(&flow).await).await;
    assert_eq!(tokens["scope"], "memories:read", "AUT-06");

    let id = word(&server.register_itself(json!({})).await["client_id"]);
    let flow = Flow::new(&id, "http://127.0.0.1/cb").with("scope", None);
    let mut form = flow.exchange(&browser.code(&flow).await);
    form.push(("client_id", id));
    let tokens: Value = server.post("/token").form(&form).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(tokens["scope"], "memories:read memories:write", "a client that registered itself gets what it registered for");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_get_is_taken_and_no_other_site_may_read(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let flow = server.flow();
    browser.decide(&flow, "allow").await;

    for method in [Method::HEAD, Method::PUT, Method::TRACE, Method::POST, Method::OPTIONS] {
        let page = browser.send(browser.request(method.clone(), &flow.path())).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "AUT-16 {method}");
    }
    assert_eq!(number(&pool, CODES).await, 1);
    let page = browser.send(browser.request(Method::GET, &flow.path()).header("origin", "https://evil.example")).await;
    assert_eq!(page.header("access-control-allow-origin"), "", "AUT-16");
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-store"), "AUT-15");
    let alias = browser.get(&format!("/api/oauth{}", flow.path())).await;
    assert!(alias.answer().contains_key("code"), "the alias");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn prompts_ask_for_the_page_they_name(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let flow = server.flow();
    browser.decide(&flow, "allow").await;

    assert!(browser.get(&flow.path()).await.answer().contains_key("code"), "known by now");
    assert!(browser.get(&flow.clone().with("prompt", Some("none")).path()).await.answer().contains_key("code"), "AUT-13");
    assert_eq!(browser.get(&flow.clone().with("prompt", Some("consent")).path()).await.status, StatusCode::OK);
    let login = browser.get(&flow.clone().with("prompt", Some("login")).path()).await;
    assert!(login.location().starts_with("/login?next="), "{}", login.location());
    assert_eq!(browser.get(login.location()).await.status, StatusCode::OK, "the form is shown to somebody who is signed in");
    let create = browser.get(&flow.with("prompt", Some("create")).path()).await;
    assert!(create.location().starts_with("/signup?next="), "{}", create.location());
}
