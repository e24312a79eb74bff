//! Forms that somebody else made up.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{House, PASSWORD};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn signing_in_needs_the_token_of_the_same_session_log_01(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let (browser, other) = (house.stranger(), house.stranger());
    browser.get("/login").await;
    other.get("/login").await;
    let credentials = [("username", "ada"), ("password", PASSWORD)];

    for csrf in ["", "guess", &other.csrf()] {
        let fields = [credentials[0], credentials[1], ("csrf", csrf)];
        let page = browser.post_raw("/login", &fields, &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{csrf}");
        assert!(page.contains("no longer valid"));
    }
    assert_eq!(browser.post_raw("/login", &credentials, &[]).await.status, StatusCode::FORBIDDEN);
    let token = browser.csrf();
    browser.forget_cookies();
    let page = browser.post_raw("/login", &[credentials[0], credentials[1], ("csrf", &token)], &[]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "without the cookie");
    assert_eq!(house.number("SELECT count(*) FROM sessions WHERE person_id IS NOT NULL").await, 1);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn no_form_does_anything_without_its_token_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let created = browser.write("tea").await;
    let path = created.location().split('?').next().expect("a path").to_owned();
    let calls = house.server.memo().tool_calls;
    let grace = house.member("grace").await;
    let paths = [
        "/logout".to_owned(),
        "/profile".to_owned(),
        "/groups".to_owned(),
        "/profile/public".to_owned(),
        "/profile/password".to_owned(),
        "/profile/delete".to_owned(),
        "/groups/00000000-0000-4000-8000-000000000000".to_owned(),
        "/connect".to_owned(),
        "/connections/disconnect".to_owned(),
        "/memories/new".to_owned(),
        format!("{path}/edit"),
        format!("{path}/delete"),
        format!("{path}/restore"),
        format!("{path}/sharing"),
        "/memories/undo".to_owned(),
        "/memories/preview".to_owned(),
        format!("{path}/permission"),
    ];

    for path in &paths {
        for csrf in ["", &grace.csrf()] {
            let fields = [("text", "mine"), ("permission", "public"), ("csrf", csrf)];
            let page = browser.post_raw(path, &fields, &[]).await;

            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
            assert_eq!(page.text_area(), "mine", "what was written can be copied");
        }
    }

    assert_eq!(house.server.memo().tool_calls, calls);
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 1);
    assert_eq!(browser.get("/connections").await.status, StatusCode::OK, "still signed in");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn forms_of_other_sites_are_refused_whatever_they_carry_log_01(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let csrf = browser.csrf();

    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
    ] {
        let page = browser.post_raw("/logout", &[("csrf", &csrf)], &headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(page.contains("no longer valid") && page.contains("Sign out"), "a page with the person's navigation");
    }

    let own = browser.post_raw("/logout", &[("csrf", &csrf)], &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(own.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn reading_changes_nothing_and_signs_nobody_out_log_17_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let paths = ["/logout", "/connections/disconnect", "/memories/00000000-0000-4000-8000-000000000000/delete"];

    for path in paths {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(page.contains("That is not possible here"));
    }
    assert_eq!(browser.get("/memories").await.status, StatusCode::OK);
}
