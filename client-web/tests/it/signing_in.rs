//! What somebody who guesses passwords learns: nothing, slowly.

use std::time::Instant;

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{Browser, House, PASSWORD};

async fn try_as(browser: &Browser, username: &str, password: &str) -> crate::kit::Page {
    browser.post("/login", &[("username", username), ("password", password)]).await
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_unknown_person_and_a_wrong_password_get_the_same_answer_log_05(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let browser = house.stranger();
    browser.get("/login").await;

    let wrong = try_as(&browser, "ada", "not her password").await;
    let unknown = try_as(&browser, "eve", "not her password").await;

    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.status, unknown.status);
    assert_eq!(wrong.body.replace("ada", "…"), unknown.body.replace("eve", "…"));
    let names = |page: &crate::kit::Page| page.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&wrong), names(&unknown));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_unknown_person_costs_the_same_work_log_05(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let browser = house.stranger();
    browser.get("/login").await;
    let mut times = [Vec::new(), Vec::new()];

    for round in 0..9 {
        for (index, name) in ["ada", "eve"].into_iter().enumerate() {
            let started = Instant::now();
            try_as(&browser, name, &format!("wrong password {round}")).await;
            times[index].push(started.elapsed());
        }
    }

    // The quickest of each, because others do their work on this machine. Without the dummy hash the gap would be tenfold.
    let [known, unknown] = times.map(|list| list.into_iter().min().expect("several"));
    assert!(unknown * 2 > known && known * 2 > unknown, "{known:?} {unknown:?}");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn failed_sign_ins_are_limited_over_all_replicas_log_07_log_08(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let second = house.second_web().await;
    let (here, there) = (house.stranger(), Browser::at(&second));
    here.get("/login").await;
    there.get("/login").await;

    for round in 0..10 {
        let page = try_as(if round % 2 == 0 { &here } else { &there }, "ada", "wrong").await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "round {round}");
    }

    for (browser, name) in [(&here, "ada"), (&there, "ADA")] {
        let page = try_as(browser, name, PASSWORD).await;
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = page.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait) && page.contains("failed sign-ins"));
    }
    house.member("grace").await;
    let other_account = house.stranger();
    other_account.get("/login").await;
    assert_eq!(try_as(&other_account, "grace", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn people_behind_a_proxy_are_counted_one_by_one_log_07(pool: PgPool) {
    let house = House::open_with(pool, &["--trusted-proxies=127.0.0.0/8,::1,192.0.2.0/24"]).await;
    house.member("ada").await;
    let (eve, ada) = (house.stranger(), house.stranger());
    eve.get("/login").await;
    ada.get("/login").await;
    let send = async |browser: &Browser, password: &str, from: &str| {
        let fields = [("csrf", &*browser.csrf()), ("username", "ada"), ("password", password)].map(|(a, b)| (a, b.to_owned()));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post_raw("/login", &fields, &[("x-forwarded-for", from)]).await.status
    };

    for _ in 0..10 {
        send(&eve, "wrong", "203.0.113.9, 192.0.2.7").await;
    }

    let invented = "198.51.100.1, 203.0.113.9, 192.0.2.7";
    assert_eq!(send(&eve, PASSWORD, invented).await, StatusCode::TOO_MANY_REQUESTS, "LOG-07");
    assert_eq!(send(&ada, PASSWORD, "198.51.100.1, 192.0.2.7").await, StatusCode::SEE_OTHER, "LOG-07: nobody locks her out");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_address_that_tries_many_accounts_is_stopped_log_07(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let browser = house.stranger();
    browser.get("/login").await;
    try_as(&browser, "eve", "wrong").await;
    house.execute("UPDATE attempts SET count = 100").await;

    let page = try_as(&browser, "ada", PASSWORD).await;

    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "LOG-07");
    let wait: u64 = page.header("retry-after").parse().expect("seconds");
    assert!((61..=600).contains(&wait), "the address waits for its ten minutes: {wait}");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn successful_sign_ins_do_not_count(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;

    for _ in 0..12 {
        let browser = house.stranger();
        browser.get("/login").await;
        assert_eq!(try_as(&browser, "ada", PASSWORD).await.status, StatusCode::SEE_OTHER);
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn after_signing_in_one_stays_in_the_application_log_12(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;

    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let browser = house.stranger();
        browser.get("/login").await;
        let fields = [("username", "ada"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/login", &fields).await.location(), "/memories", "{next}");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn megabytes_of_password_are_refused_before_they_are_hashed_log_10(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let browser = house.stranger();
    browser.get("/login").await;

    assert_eq!(try_as(&browser, "ada", &"x".repeat(1_000_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(try_as(&browser, "ada", &"x".repeat(50_000)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
