//! The server's own pages: sign-in, sign-out, sign-up, consent, connections.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use crate::kit::browser::{Browser, Flow, PASSWORD, Page};
use crate::kit::{ADMIN, TestServer, number, word};

const SESSIONS: &str = "SELECT count(*) FROM sessions";

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_form_needs_the_token_and_the_cookie_that_it_was_shown_with(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    let csrf = browser.get("/login").await.field("csrf");
    let foreign = Browser::new(&server.url).get("/login").await.field("csrf");
    let fields = |csrf: &str| [("csrf", csrf.to_owned()), ("username", "ada".to_owned()), ("password", PASSWORD.to_owned())];

    for wrong in ["", "x", &foreign] {
        let page = browser.send(browser.request(Method::POST, "/login").form(&fields(wrong))).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "LOG-01 {wrong}");
    }
    let without_cookie = Browser::new(&server.url);
    let page = without_cookie.send(without_cookie.request(Method::POST, "/login").form(&fields(&csrf))).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "LOG-01");
    for (header, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        let page = browser.send(browser.request(Method::POST, "/login").header(header, value).form(&fields(&csrf))).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "LOG-01 {header} {value}");
    }
    let looked = browser.get(&format!("/login?username=ada&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"))).await;
    assert_eq!((looked.status, number(&pool, SESSIONS).await), (StatusCode::OK, 0), "LOG-01: looking signs nobody in");
    let own = browser.request(Method::POST, "/login").header("sec-fetch-site", "same-origin").form(&fields(&csrf));
    assert_eq!(browser.send(own).await.status, StatusCode::SEE_OTHER, "LOG-01");
    let again = browser.send(browser.request(Method::POST, "/login").form(&fields(&csrf))).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "LOG-01: an old token");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_session_begins_anew_and_ends_on_the_server(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    let chosen = [("picard_server_session".to_owned(), "A".repeat(43))].into();
    browser.set_cookies(chosen);
    let before = browser.cookies();
    browser.sign_in("ada", PASSWORD).await;
    let signed_in = browser.cookies();
    assert_ne!(before, signed_in, "LOG-02: a chosen value is not used on");

    browser.sign_in("ada", PASSWORD).await;
    assert_ne!(signed_in, browser.cookies(), "LOG-02");
    assert_eq!(number(&pool, SESSIONS).await, 1, "LOG-02: the earlier session has ended");

    let page = browser.get("/connections").await;
    let cookies = browser.cookies();
    for path in ["/logout", "/logout?csrf=x"] {
        let got = browser.get(path).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "LOG-17 {path}");
    }
    let out = browser.post("/logout", &[("csrf", &page.field("csrf"))]).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/login?done=signed-out"));
    assert!(browser.cookies().is_empty());
    browser.set_cookies(cookies);
    assert_eq!(browser.get("/connections").await.location(), "/login", "LOG-02: the old cookie is worth nothing");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn cookies_and_headers_are_strict(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    let check = |page: &Page| {
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"]
        {
            assert!(policy.contains(part), "LOG-04 {policy}");
        }
        assert!(!policy.contains("unsafe") && !page.body.contains("<script") && !page.body.contains(" style="), "LOG-04");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.header(name), value, "LOG-04, LOG-16");
        }
    };
    let login = browser.get("/login").await;
    check(&login);
    check(&browser.get("/signup").await);
    check(&browser.get("/authorize").await);
    assert!(login.header("set-cookie").ends_with("; Path=/; HttpOnly; SameSite=Lax"), "LOG-03: over HTTP");
    browser.register("ada").await;
    browser.sign_in("ada", PASSWORD).await;
    check(&browser.get("/connections").await);
    let question = browser.get(&server.flow().path()).await;
    check(&question);
    assert!(question.header("content-security-policy").contains("form-action 'self' https://app.example.com;"), "LOG-04");

    let https = ["--public-url", "https://picard.example.org", "--encryption-keys", &server.key()];
    let https = TestServer::spawn_with(&pool, &https).await;
    let page = Browser::new(&https.url).get("/login").await;
    let cookie = page.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-picard_server=") && cookie.contains("; Path=/") && cookie.contains("; Secure"),
        "LOG-03 {cookie}"
    );
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && !cookie.contains("Domain"), "LOG-03 {cookie}");
    assert!(page.header("strict-transport-security").starts_with("max-age="), "LOG-04");
}

/// What a failed sign-in shows, without what differs for every visitor.
fn shown(page: &Page) -> (StatusCode, String, Vec<String>) {
    let names = page.headers.keys().map(ToString::to_string).collect();
    (page.status, page.body.replace(&page.field("csrf"), ""), names)
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_failed_sign_in_tells_nothing_about_the_account(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--sign-in-limit-per-minute", "0"]).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    browser.register("eve").await;
    server.sign_in("bob").await;
    sqlx::query("UPDATE users SET is_active = false WHERE username = 'eve'").execute(&pool).await.expect("an update");
    let tries =
        [("ada", "wrong password"), ("bob", "wrong password"), ("eve", PASSWORD), ("nobody", "wrong password"), ("ada", "")];

    let mut answers = Vec::new();
    for (name, password) in tries {
        let page = browser.try_sign_in(name, password).await;
        let page = Page { body: page.body.replace(&format!("value=\"{name}\""), "value=\"\""), ..page };
        answers.push(shown(&page));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "LOG-05, UTK-09 {answers:?}");
    assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);

    // Without a verification an answer would come many times as fast; the rest is for a quiet machine (LOG-05).
    let quickest = async |name: &str| {
        let mut quickest = Duration::MAX;
        for _ in 0..4 {
            let began = Instant::now();
            browser.try_sign_in(name, "wrong password").await;
            quickest = quickest.min(began.elapsed());
        }
        quickest
    };
    let known = quickest("ada").await;
    for name in ["nobody", "bob"] {
        assert!(quickest(name).await > known / 3, "LOG-05 {name}");
    }
    let megabyte = browser.try_sign_in("ada", &"x".repeat(900_000)).await;
    assert_eq!(megabyte.status, StatusCode::UNPROCESSABLE_ENTITY, "LOG-10: not hashed");
    let ten = browser.try_sign_in("ada", &"x".repeat(10_000_000)).await;
    assert_eq!(ten.status, StatusCode::PAYLOAD_TOO_LARGE, "LOG-10");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_sign_up_makes_an_account_and_signs_in(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    let send = async |name: &str, email: &str, password: &str| {
        let page = browser.get("/signup").await;
        browser
            .post("/signup", &[("csrf", &page.field("csrf")), ("username", name), ("email", email), ("password", password)])
            .await
    };

    for (name, email, password, field) in [
        ("admin", "", PASSWORD, "username"),
        ("\u{430}dmin", "", PASSWORD, "username"),
        ("ROOT", "", PASSWORD, "username"),
        ("a b", "", PASSWORD, "username"),
        ("ada", "ada", PASSWORD, "email"),
        ("ada", "", "1234567", "password"),
        ("ada", "", "password1", "password"),
        ("ada", "", "Password1", "password"),
        ("ada", "", "nul\0in the password", "password"),
    ] {
        let page = send(name, email, password).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "LOG-10, LOG-11 {name} {email}");
        assert!(page.body.contains(&format!("id=\"{field}-error\"")), "LOG-10, LOG-11 {name} {}", page.body);
    }
    let made = send("ada", "ada@example.org", &"🐘 ".repeat(32)).await;
    assert_eq!((made.status, made.location()), (StatusCode::SEE_OTHER, "/connections"), "LOG-10: 64 characters, any of them");
    assert_eq!(browser.get("/connections").await.status, StatusCode::OK);
    for (name, email) in [("ADA", ""), ("ada2", "ADA@example.org")] {
        let page = send(name, email, PASSWORD).await;
        assert!(page.body.contains("belongs to another account"), "LOG-06, LOG-11 {name} {email}");
    }

    let closed = TestServer::spawn_with(&pool, &["--signup", "off", "--encryption-keys", &server.key()]).await;
    let stranger = Browser::new(&closed.url);
    assert_eq!(stranger.get("/signup").await.status, StatusCode::FORBIDDEN);
    assert!(!stranger.get("/login").await.body.contains("/signup"));
    let body = json!({ "username": "grace", "password": PASSWORD });
    let refused = closed.post("/api/users").json(&body).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.json::<serde_json::Value>().await.expect("JSON")["code"], "signup_disabled");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_consent_page_says_who_asks_for_what_and_where_it_goes(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let client = server.register_itself(json!({ "client_name": "<img src=x onerror=alert(1)>", "redirect_uris": ["http://127.0.0.1/cb", "https://evil.example.com/cb"] })).await;
    let id = word(&client["client_id"]);

    let page = browser.get(&Flow::new(&id, "http://127.0.0.1:5000/cb").path()).await;
    assert!(!page.body.contains("<img") && page.body.contains("&#60;img src=x onerror=alert(1)&#62;"), "REG-09, LOG-13");
    for words in [
        "ada",
        "127.0.0.1",
        "unverified",
        "A program on your own computer",
        "Read your memories",
        "Write your memories",
        "value=\"allow\"",
        "value=\"deny\"",
    ] {
        assert!(page.body.contains(words), "LOG-13, REG-06 {words}");
    }
    let page = browser.get(&Flow::new(&id, "https://evil.example.com/cb").with("scope", Some("memories:read")).path()).await;
    assert!(page.body.contains("evil.example.com") && !page.body.contains("own computer"), "LOG-13");
    assert!(!page.body.contains("Write your memories"), "LOG-13: only what is asked for");
    assert!(browser.get(&server.flow().path()).await.body.contains("registered by this server"), "LOG-13");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_answer_counts_once_and_only_from_whom_was_asked(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (Browser::of(&server, "ada").await, Browser::of(&server, "eve").await);
    let flow = server.flow();
    let question = ada.get(&flow.path()).await;
    let (csrf, request) = (question.field("csrf"), question.field("request"));
    let eves = eve.get("/connections").await.field("csrf");

    let stolen = eve.post("/consent", &[("csrf", &eves), ("request", &request), ("decision", "allow")]).await;
    assert_eq!(stolen.status, StatusCode::FORBIDDEN, "LOG-14");
    for (csrf, request, decision, status) in
        [("", &*request, "allow", 403), (&*eves, &request, "allow", 403), (&csrf, "x", "allow", 403), (&csrf, &request, "", 400)]
    {
        let page = ada.post("/consent", &[("csrf", csrf), ("request", request), ("decision", decision)]).await;
        assert_eq!(page.status.as_u16(), status, "LOG-14 {decision}");
    }
    // What the browser adds is not looked at: what was shown is what is allowed.
    let form = [
        ("csrf", &*csrf),
        ("request", &*request),
        ("decision", "allow"),
        ("scope", "memories:admin"),
        ("redirect_uri", "https://evil.example.com/cb"),
        ("client_id", "x"),
    ];
    let both = futures_util::future::join(ada.post("/consent", &form), ada.post("/consent", &form)).await;
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403], "LOG-16: one code");
    let won = if both.0.status == StatusCode::SEE_OTHER { both.0 } else { both.1 };
    assert!(won.location().starts_with("https://app.example.com/cb?code="), "AUT-12");
    let (_, tokens) = server.exchange(&flow, &won.answer()["code"]).await;
    assert_eq!(tokens["scope"], "memories:read memories:write", "AUT-12");
    assert_eq!(ada.post("/consent", &form).await.status, StatusCode::FORBIDDEN, "LOG-14");

    let denied = ada.decide(&flow.clone().with("prompt", Some("consent")), "deny").await.answer();
    assert_eq!((denied["error"].as_str(), denied.get("code")), ("access_denied", None));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn consent_is_remembered_for_trusted_clients_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let read = server.flow().with("scope", Some("memories:read"));

    browser.decide(&read, "allow").await;
    assert_eq!(browser.get(&read.path()).await.status, StatusCode::SEE_OTHER, "LOG-15");
    assert_eq!(browser.get(&server.flow().path()).await.status, StatusCode::OK, "LOG-15: more is asked for");
    browser.decide(&server.flow(), "allow").await;
    assert_eq!(browser.get(&server.flow().path()).await.status, StatusCode::SEE_OTHER, "LOG-15");

    let name = json!({ "client_name": "Test application", "redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "client_secret_basic" });
    for more in [name, json!({})] {
        let client = server.register_itself(more).await;
        let flow = Flow::new(&word(&client["client_id"]), client["redirect_uris"][0].as_str().expect("a URI"));
        for _ in 0..2 {
            browser.decide(&flow, "allow").await;
        }
        assert_eq!(browser.get(&flow.path()).await.status, StatusCode::OK, "LOG-15: asked every time");
    }
    let (public, _) = server.register_client("Public", false).await;
    let flow = Flow::new(&public, "https://app.example.com/cb");
    browser.decide(&flow, "allow").await;
    assert_eq!(browser.get(&flow.path()).await.status, StatusCode::OK, "LOG-15: public clients, too");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_person_sees_their_connections_and_ends_them(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (Browser::of(&server, "ada").await, Browser::of(&server, "eve").await);
    let client = server.register_itself(json!({})).await;
    let id = word(&client["client_id"]);
    let (access, refresh) = server.connect(&ada, &id).await;

    let page = ada.get("/connections").await;
    assert!(page.body.contains("An editor") && page.body.contains("read your memories, write your memories"), "REV-08");
    assert!(!eve.get("/connections").await.body.contains("An editor"), "REV-08");
    let eves = eve.get("/connections").await.field("csrf");
    eve.post("/connections", &[("csrf", &eves), ("client_id", &id)]).await;
    assert!(server.is_welcome_at(&server.url, &access).await, "REV-08: only one's own");

    let ended = ada.post("/connections", &[("csrf", &page.field("csrf")), ("client_id", &id)]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert!(!server.is_welcome_at(&server.url, &access).await, "REV-08, REF-09");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh), ("client_id", &*id)];
    assert_eq!(server.post("/token").form(&form).send().await.expect("an answer").status(), 400, "REF-09");
    assert!(!ada.get("/connections").await.body.contains("An editor"));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_flood_of_sign_ins_does_not_stop_the_server(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let login = server.get("/login").send().await.expect("an answer");
    assert_eq!(login.status(), 200);
    let wrong =
        (0..60).map(|number| server.get("/api/admin/stats").basic_auth(format!("nobody{number}"), Some("wrong password")).send());
    let flood = futures_util::future::join_all(wrong);
    let health = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.get("/health/liveness").send().await.expect("an answer").status()
    };

    let (answers, health) = futures_util::future::join(flood, health).await;

    assert_eq!(health, 200, "LOG-09");
    for answer in answers {
        let answer = answer.expect("an answer");
        assert!(matches!(answer.status().as_u16(), 401 | 429 | 503), "LOG-09 {}", answer.status());
        assert!(answer.status() == 401 || answer.headers().contains_key("retry-after"), "LOG-09");
    }
    let root = server.get("/api/admin/stats").basic_auth(ADMIN.0, Some(ADMIN.1)).send().await.expect("an answer");
    assert!(matches!(root.status().as_u16(), 200 | 429), "{}", root.status());
}
