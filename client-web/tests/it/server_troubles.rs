//! A Picard server that fails while somebody writes.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{House, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn whatever_the_server_answers_nothing_that_was_typed_is_lost_web_12(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let says = |status| Trouble::Says(status, json!({"code": "x", "detail": "http://internal.example"}));
    let cases = [
        (says(401), 403, "Connect again"),
        (says(403), 403, "You may not do this"),
        (says(429), 429, "short break"),
        (says(500), 502, "in trouble"),
        (says(503), 503, "cannot be reached"),
        (says(302), 502, "in trouble"),
        (says(413), 413, "shorten the text"),
        (Trouble::Babbles("no json".into()), 502, "in trouble"),
        (Trouble::Babbles("x".repeat(10_000_000)), 502, "in trouble"),
    ];

    for (trouble, status, words) in cases {
        house.server.trouble("/api/tools", trouble);
        let before = house.server.memo().tool_calls;
        let page = browser.write("a long thought").await;

        assert_eq!(page.status.as_u16(), status, "{words}");
        assert_eq!(page.text_area(), "a long thought");
        assert!(page.contains(words), "{words}: {}", page.body);
        assert!(!page.contains("internal.example") && !page.contains(house.server.url()));
        assert!(house.server.memo().tool_calls - before <= 2, "no retry storm");
    }

    house.server.no_more_trouble();
    let saved = browser.write("a long thought").await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "the session is intact");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn pages_explain_a_server_in_trouble_and_keep_the_navigation_web_12(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    for (trouble, status) in [(Trouble::Says(503, json!({})), 503), (Trouble::Babbles("?".into()), 502)] {
        house.server.trouble("/api/tools", trouble);
        for path in ["/memories", "/search?q=x", "/memories/00000000-0000-4000-8000-000000000000"] {
            let page = browser.get(path).await;
            assert_eq!(page.status.as_u16(), status, "{path}");
            assert!(page.contains("Sign out") && page.contains(page.header("x-request-id")), "{path}");
        }
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_form_sent_after_disconnecting_keeps_its_text(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.post("/connections/disconnect", &[]).await;

    let page = browser.write("a long thought").await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(page.text_area(), "a long thought");
    assert!(page.contains("Connect in a new tab"));
}
