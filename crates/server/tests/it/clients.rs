//! Registering clients, and how administrators sign in for it.

use std::collections::HashSet;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{ADMIN, TestServer, number, word};

const PATH: &str = "/api/admin/clients/register";
const COUNT: &str = "SELECT count(*) FROM clients";

fn registration() -> Value {
    json!({ "client_name": "App", "redirect_uris": ["https://app.example.com/cb"], "scopes": ["memories:read"] })
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// Registers as the administrator; gives back the status and the answer.
async fn register(server: &TestServer, body: &Value) -> (u16, Value) {
    let response = send(server.post(PATH).basic_auth(ADMIN.0, Some(ADMIN.1)).json(body)).await;
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_is_registered_and_its_secret_shown_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let body = json!({
        "client_name": "Ada's App", "redirect_uris": ["https://app.example.com/cb", "http://127.0.0.1:8000/cb"],
        "scopes": ["memories:write", "memories:read"],
    });

    let response = send(server.post(PATH).basic_auth(ADMIN.0, Some(ADMIN.1)).json(&body)).await;

    assert_eq!(
        (response.status(), &response.headers()["cache-control"]),
        (reqwest::StatusCode::CREATED, &"no-store".parse().expect("a value"))
    );
    let client: Value = response.json().await.expect("JSON");
    let id: uuid::Uuid = word(&client["client_id"]).parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 4, "REG-02");
    assert_eq!((&client["client_name"], &client["redirect_uris"]), (&body["client_name"], &body["redirect_uris"]));
    assert_eq!((&client["scopes"], &client["is_confidential"]), (&json!(["memories:read", "memories:write"]), &json!(true)));
    let secret = word(&client["client_secret"]);
    let is_base64url = secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    assert!(secret.len() >= 43 && is_base64url, "REG-03");
    let hash: Vec<u8> =
        sqlx::query_scalar("SELECT secret_hash FROM clients WHERE id = $1").bind(id).fetch_one(&pool).await.expect("a row");
    assert_eq!(hash, picard_crypto::hash_token(&secret), "REG-02: stored hashed");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn ids_and_secrets_never_repeat(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let mut seen = HashSet::new();

    for _ in 0..10 {
        let (status, client) = register(&server, &registration()).await;
        assert_eq!(status, 201);
        assert!(seen.insert(word(&client["client_id"])) && seen.insert(word(&client["client_secret"])), "REG-03");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_public_client_has_no_secret(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let mut body = registration();
    body["is_confidential"] = false.into();

    let (status, client) = register(&server, &body).await;

    assert_eq!((status, &client["is_confidential"], client.get("client_secret")), (201, &json!(false), None));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_administrators_register_clients(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let before = number(&pool, COUNT).await;
    let post = || server.post(PATH).json(&registration());

    let without = send(post()).await;
    assert_eq!(without.status(), 401, "REG-01");
    let challenges: Vec<&str> =
        without.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(challenges.iter().any(|challenge| challenge.starts_with("Basic ")), "{challenges:?}");
    assert!(
        challenges.iter().any(|challenge| challenge.starts_with("Bearer ") && !challenge.contains("error=")),
        "JWT-11 {challenges:?}"
    );
    assert_eq!(without.json::<Value>().await.expect("JSON")["code"], "invalid_token");

    assert_eq!(send(post().bearer_auth(&ada.token)).await.status(), 403, "REG-01: a person's token");
    assert_eq!(send(post().bearer_auth("nonsense")).await.status(), 401, "REG-01");
    assert_eq!(send(post().header("authorization", "Basic ???")).await.status(), 401, "REG-01");
    assert_eq!(send(post().basic_auth("ada", None::<&str>)).await.status(), 401, "UTK-09: an account without a password");
    assert_eq!(send(post().basic_auth(ADMIN.0, Some(""))).await.status(), 401);
    assert_eq!(number(&pool, COUNT).await, before, "REG-01: nothing was stored");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn somebody_with_a_password_who_is_no_administrator_is_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let before = number(&pool, COUNT).await;

    sqlx::query("UPDATE users SET is_superuser = false WHERE username = 'root'").execute(&pool).await.expect("an update");
    let (status, answer) = register(&server, &registration()).await;
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "REG-01, SCO-04: read at this moment");

    sqlx::query("UPDATE users SET is_superuser = true, is_active = false WHERE username = 'root'")
        .execute(&pool)
        .await
        .expect("an update");
    assert_eq!(register(&server, &registration()).await.0, 401);
    assert_eq!(number(&pool, COUNT).await, before, "REG-01: nothing was stored");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_administrator_signs_in_by_name_or_address(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for name in ["root", "ROOT", "root@example.org", "Root@Example.org"] {
        let response = send(server.post(PATH).basic_auth(name, Some(ADMIN.1)).json(&registration())).await;
        assert_eq!(response.status(), 201, "{name}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn members_that_a_client_may_not_choose_are_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let before = number(&pool, COUNT).await;

    for (member, value) in [
        ("client_id", json!(uuid::Uuid::new_v4().to_string())),
        ("client_secret", json!("chosen-by-me")),
        ("is_active", json!(true)),
        ("owner", json!("ada")),
        ("grant_types", json!(["password"])),
    ] {
        let mut body = registration();
        body[member] = value;
        let (status, answer) = register(&server, &body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(member)), "REG-04");
    }
    assert_eq!(number(&pool, COUNT).await, before, "REG-04");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_redirect_uri_that_could_leak_a_code_is_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let before = number(&pool, COUNT).await;
    let long = format!("https://a.com/{}", "x".repeat(3_000));

    for uri in [
        "http://evil.com/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///x",
        "https://a/cb#frag",
        "https://a@evil.com/",
        "https://*.a.com/",
        "//x/cb",
        "",
        "https://a/\r\nSet-Cookie:x",
        "https://аpple.com/cb",
        &long,
    ] {
        let mut body = registration();
        body["redirect_uris"] = json!(["https://app.example.com/cb", uri]);
        let (status, answer) = register(&server, &body).await;
        assert_eq!((status, &answer["code"]), (422, &json!("invalid")), "REG-05 {uri:?}");
        assert_eq!(answer["errors"][0]["field"], "redirect_uris[1]", "REG-05 {uri:?}");
    }
    for uris in [json!([]), json!(vec!["https://a.com/cb"; 1_000])] {
        let mut body = registration();
        body["redirect_uris"] = uris;
        assert_eq!(register(&server, &body).await.0, 422, "REG-05");
    }
    assert_eq!(number(&pool, COUNT).await, before, "REG-05: nothing was stored");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_name_reads_as_what_it_is(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let named = |name: &str| {
        let mut body = registration();
        body["client_name"] = name.into();
        body
    };

    for name in ["", "   ", "a\0b", "a\nb", "\u{202e}knaB", "a\u{2066}b", &"x".repeat(10_000)] {
        let (status, answer) = register(&server, &named(name)).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!("client_name")), "REG-09 {name:?}");
    }
    for name in ["<img src=x onerror=alert(1)>", "Ädas 🫖", &"字".repeat(100)] {
        let (status, answer) = register(&server, &named(name)).await;
        assert_eq!((status, &answer["client_name"]), (201, &json!(name)), "REG-09");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_wrong_member_of_a_registration_is_named(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for (member, value) in [
        ("scopes", json!([])),
        ("scopes", json!(["memories:everything"])),
        ("scopes", json!(["memories:read memories:write memories:all"])),
        ("scopes", json!("memories:read")),
        ("is_confidential", json!("yes")),
        ("redirect_uris", json!("https://a.com")),
        ("client_name", json!(null)),
    ] {
        let mut body = registration();
        body[member] = value;
        let (status, answer) = register(&server, &body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(member)), "{body}");
    }
    let wrong = json!({ "client_name": "", "redirect_uris": ["http://evil.com"], "scopes": ["x"] });
    let (_, answer) = register(&server, &wrong).await;
    let fields: Vec<&str> =
        answer["errors"].as_array().expect("errors").iter().filter_map(|error| error["field"].as_str()).collect();
    assert_eq!(fields, ["client_name", "redirect_uris[0]", "scopes"]);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_unknown_name_answers_like_a_wrong_password(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let mut answers = Vec::new();

    for name in ["root", "nobody", "nobody@example.org", "\u{202e}x"] {
        let response = send(server.post(PATH).basic_auth(name, Some("wrong password")).json(&registration())).await;
        let challenges = response.headers().get_all("www-authenticate").iter().cloned().collect::<Vec<_>>();
        let status = response.status();
        let mut body: Value = response.json().await.expect("JSON");
        body["request_id"] = Value::Null;
        answers.push((status, challenges, body));
    }

    assert_eq!(answers[0].0, 401, "LOG-05");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "LOG-05 {answers:#?}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn ten_failed_tries_close_the_door_for_that_account_and_address(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let attempt = async |http: &reqwest::Client, url: &str, name: &str, password: &str| {
        send(http.post(format!("{url}{PATH}")).basic_auth(name, Some(password)).json(&registration())).await
    };

    for number in 0..10 {
        // Every spelling counts for the same account, at every replica.
        let (url, name) = if number % 2 == 0 { (&server.url, "root") } else { (&replica.url, "ROOT") };
        assert_eq!(attempt(&server.http, url, name, "wrong password").await.status(), 401, "LOG-07 try {number}");
    }

    for url in [&server.url, &replica.url] {
        let refused = attempt(&server.http, url, ADMIN.0, ADMIN.1).await;
        assert_eq!(refused.status(), 429, "LOG-07, LOG-08: the right password does not help now");
        let wait: u64 = refused.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "rate_limited");
    }
    assert_eq!(attempt(&server.http, &server.url, "nobody", "wrong password").await.status(), 401, "other accounts are free");
    let elsewhere = crate::kit::client_from([127, 0, 0, 2]);
    assert_eq!(attempt(&elsewhere, &server.url, ADMIN.0, ADMIN.1).await.status(), 201, "LOG-07: from another address it works");

    let a_minute_ago = "UPDATE rate_limits SET window_end = window_end - interval '61 seconds'";
    sqlx::query(a_minute_ago).execute(&pool).await.expect("an update");
    assert_eq!(attempt(&server.http, &server.url, ADMIN.0, ADMIN.1).await.status(), 201, "a minute later too");
}
