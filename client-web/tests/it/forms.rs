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

/// Every path of the application that takes this method, as the router names them.
fn paths(method: &str) -> Vec<String> {
    let routes = include_str!("../../src/router.rs").split(".route(\"").skip(1).map(|rest| rest.split_once('"').expect("a path"));
    let takes = |rest: &str| {
        let rest = rest.split("\n        .").next().unwrap_or_default();
        rest.contains(&format!(" {method}(")) || rest.contains(&format!(".{method}("))
    };
    let found: Vec<String> = routes.filter(|(_, rest)| takes(rest)).map(|(path, _)| path.to_owned()).collect();
    assert!(found.len() > 20, "{found:?}");
    found
}

/// A path with something in the places where an id belongs.
fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id).replace("{tag}", "x").replace("{name}", "y")
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn no_form_does_anything_without_its_token_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let created = browser.write("tea").await;
    let id = created.location().split('?').next().and_then(|path| path.rsplit('/').next()).expect("an id").to_owned();
    let calls = house.server.memo().tool_calls;
    let grace = house.member("grace").await;
    // The first three are for strangers, and the third has no token: nothing but a cookie is at stake. The last is read
    // part by part, and refuses every other kind of body.
    let others = ["/login", "/register", "/language", "/import"];

    for path in paths("post").iter().filter(|path| !others.contains(&path.as_str())) {
        let path = filled(path, &id);
        for csrf in ["", &grace.csrf()] {
            let fields = [("text", "mine"), ("permission", "public"), ("csrf", csrf)];
            let page = browser.post_raw(&path, &fields, &[]).await;

            assert_eq!(page.status, StatusCode::FORBIDDEN, "WEB-03: {path}");
            assert_eq!(page.text_area(), "mine", "{path}: what was written can be copied");
        }
    }

    assert_eq!(house.server.memo().tool_calls, calls);
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 1);
    assert_eq!(browser.get("/connections").await.status, StatusCode::OK, "still signed in");
}

/// Everything that is stored, but for the counters of limits and the moment at which somebody was last seen.
async fn stored(house: &House) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'attempts' ORDER BY 1",
    )
    .fetch_all(&house.pool)
    .await
    .expect("tables");
    let mut all = String::new();
    for table in tables {
        let sql = format!("SELECT coalesce(string_agg(a_row::text, ' ' ORDER BY a_row::text), '') FROM {table} a_row");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&house.pool).await.expect("rows");
        all += &format!("{table}: {rows}\n");
    }
    all
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn reading_any_page_stores_nothing_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let (before, revoked) = (stored(&house).await, house.server.memo().revoked.len());

    for path in paths("get") {
        let path = filled(&path, "00000000-0000-4000-8000-000000000000");
        for somebody in [&browser, &house.stranger()] {
            somebody.get(&path).await;
            assert_eq!(stored(&house).await, before, "WEB-03: {path}");
        }
    }

    assert_eq!(house.server.memo().revoked.len(), revoked);
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
