//! How often somebody may do something.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::Browser;
use crate::kit::{TestServer, client_from};

fn wait(response: &reqwest::Response) -> u64 {
    response.headers()["retry-after"].to_str().expect("text").parse().expect("seconds")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn registrations_are_counted_by_address_at_all_replicas(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--token-limit-per-minute", "6"]).await;
    let replica = server.replica_with(&["--token-limit-per-minute", "6"]).await;
    let register = async |http: &reqwest::Client, url: &str| {
        let body = json!({ "redirect_uris": ["http://127.0.0.1/cb"] });
        http.post(format!("{url}/register")).json(&body).send().await.expect("an answer")
    };

    for number in 0..6 {
        let url = if number % 2 == 0 { &server.url } else { &replica.url };
        assert_eq!(register(&server.http, url).await.status(), 201, "REG-08 {number}");
    }
    for url in [&server.url, &replica.url] {
        let refused = register(&server.http, url).await;
        assert_eq!(refused.status(), 429, "REG-08, LOG-08");
        assert!((1..=60).contains(&wait(&refused)), "REG-08");
        assert!(refused.json::<Value>().await.expect("JSON")["error"].is_string());
    }
    assert_eq!(register(&client_from([127, 0, 0, 9]), &server.url).await.status(), 201, "another address is free");
    server.register_client("By an administrator", true).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn token_requests_are_counted_by_client_and_address(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--token-limit-per-minute", "5"]).await;
    let ask = async |client_id: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", client_id)];
        server.post("/token").form(&form).send().await.expect("an answer").status().as_u16()
    };

    for _ in 0..5 {
        assert_eq!(ask("somebody").await, 401);
    }
    assert_eq!((ask("somebody").await, ask("somebody else").await), (429, 401));
    for number in 0..6 {
        let body = json!({ "client_id": server.client_id, "client_secret": "wrong", "username": "ada" });
        let status = server.post("/api/user-tokens/user-token").json(&body).send().await.expect("an answer").status();
        assert_eq!(status.as_u16(), if number < 5 { 401 } else { 429 }, "UTK-02 {number}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn tools_are_counted_by_person_behind_both_doors(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--tool-limit-per-minute", "4"]).await;
    let replica = server.replica_with(&["--tool-limit-per-minute", "4"]).await;
    let (ada, grace) = (server.sign_in("ada").await, server.sign_in("grace").await);
    let call = async |url: &str, token: &str| {
        let body = json!({ "tool": "retrieve_memories", "data": {} });
        server.http.post(format!("{url}/api/tools")).bearer_auth(token).json(&body).send().await.expect("an answer")
    };

    for number in 0..4 {
        let url = if number % 2 == 0 { &server.url } else { &replica.url };
        assert_eq!(call(url, &ada.token).await.status(), 200, "{number}");
    }
    let refused = call(&replica.url, &ada.token).await;
    assert_eq!(refused.status(), 429);
    assert!((1..=60).contains(&wait(&refused)));
    assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "rate_limited");
    assert_eq!(call(&server.url, &grace.token).await.status(), 200, "others are free");
    sqlx::query("UPDATE rate_limits SET window_end = window_end - interval '61 seconds'")
        .execute(&pool)
        .await
        .expect("an update");
    assert_eq!(call(&server.url, &ada.token).await.status(), 200, "a minute later");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn failed_sign_ins_close_the_door_without_locking_anybody_out(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::of(&server, "ada").await;
    let stranger = Browser::new(&server.url);

    for number in 0..10 {
        assert_eq!(stranger.try_sign_in("ADA", "wrong password").await.status, 422, "LOG-07 {number}");
    }
    let refused = stranger.try_sign_in("ada", crate::kit::browser::PASSWORD).await;
    assert_eq!(refused.status, 429, "LOG-07");
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=60).contains(&wait)), "LOG-07");
    assert_eq!(browser.get("/connections").await.status, 200, "who is signed in stays signed in");
    assert_eq!(stranger.try_sign_in("grace", "wrong password").await.status, 422, "other accounts are free");
    let login = stranger.get("/login").await;
    let form =
        [("csrf", login.field("csrf")), ("username", "ada".to_owned()), ("password", crate::kit::browser::PASSWORD.to_owned())];
    let cookies: Vec<String> = stranger.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let elsewhere = client_from([127, 0, 0, 8]).post(format!("{}/login", server.url)).header("cookie", cookies.join("; "));
    assert_eq!(elsewhere.form(&form).send().await.expect("an answer").status(), 303, "LOG-07: no lock-out");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn many_tries_at_once_are_no_better_than_ten(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    // The name and the address are one account.
    let tries = (0..40).map(|number| {
        let (url, name) = if number % 2 == 0 { (&server.url, "ada") } else { (&replica.url, "ada@example.org") };
        let password = if number == 39 { crate::kit::browser::PASSWORD } else { "wrong password" };
        server.http.get(format!("{url}/api/admin/stats")).basic_auth(name, Some(password)).send()
    });
    let answers = futures_util::future::join_all(tries).await;
    let count =
        |status: u16| answers.iter().filter(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == status)).count();
    assert!(count(401) <= 10, "LOG-07: {} tries were made", count(401));
    assert!(count(429) + count(503) >= 29, "LOG-07: {} were refused", count(429));

    let right = (0..30).map(|_| server.get("/api/admin/stats").basic_auth(crate::kit::ADMIN.0, Some(crate::kit::ADMIN.1)).send());
    for answer in futures_util::future::join_all(right).await {
        assert_eq!(answer.expect("an answer").status(), 200, "many right ones at once do no harm");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_hundred_failures_close_the_door_for_an_address(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    assert_eq!(browser.try_sign_in("nobody", "wrong password").await.status, 422);
    sqlx::query("UPDATE rate_limits SET count = 100 WHERE window_end > now() + interval '5 minutes'")
        .execute(&pool)
        .await
        .expect("an update");

    assert_eq!(browser.try_sign_in("ada", crate::kit::browser::PASSWORD).await.status, 429, "LOG-07");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_a_trusted_proxy_tells_the_address(pool: PgPool) {
    let register = async |server: &TestServer, address: &str| {
        let body = json!({ "redirect_uris": ["http://127.0.0.1/cb"] });
        let request = server.post("/register").header("x-forwarded-for", address).json(&body);
        request.send().await.expect("an answer").status().as_u16()
    };

    let plain = TestServer::spawn_with(&pool, &["--token-limit-per-minute", "1"]).await;
    assert_eq!((register(&plain, "203.0.113.1").await, register(&plain, "203.0.113.2").await), (201, 429), "LOG-07");
    let key = plain.key();
    let proxied = TestServer::spawn_with(
        &pool,
        &["--token-limit-per-minute", "1", "--trusted-proxies", "127.0.0.0/8", "--encryption-keys", &key],
    )
    .await;
    assert_eq!((register(&proxied, "203.0.113.1").await, register(&proxied, "203.0.113.2").await), (201, 201), "LOG-07");
    assert_eq!(register(&proxied, "203.0.113.3, 203.0.113.2").await, 429, "LOG-07: only the last word counts");
}
