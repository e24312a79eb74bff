//! Activity and figures.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{CLIENT_ID, House};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn one_sees_what_one_did_and_who_read_ones_memories(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("grace").await;
    let browser = house.connected("ada").await;
    // One after the other: each looks under the same lock.
    let ada = house.server.memo().people["ada"];
    let grace = house.server.memo().people["grace"];
    let event = |event: &str, person| {
        json!({
            "happened_at": "2026-01-01T00:00:00.000001+00:00", "event": event, "user_id": person, "client_id": CLIENT_ID,
            "details": {"memory_ids": [ada]},
        })
    };
    house.server.memo().events =
        vec![event("memories_submitted", ada), event("memories_read", grace), event("a_<new>_kind", ada)];

    let page = browser.get("/activity").await;
    assert!(page.contains("Memories were written") && page.contains("Memories were read by grace"), "{}", page.body);
    assert!(page.contains("through My &#60;b&#62;editor&#60;/b&#62;") && page.contains("a &#60;new&#62; kind"));
    assert!(page.contains("/activity?cursor=more+%26+more") && page.contains(&format!("/memories/{ada}")));
    let reads = browser.get("/activity?event=memories_read").await;
    assert!(reads.contains("Memories were read by grace") && !reads.contains("Memories were written"));
    house.server.memo().events.clear();
    assert!(browser.get("/activity").await.contains("Nothing yet"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn figures_are_charts_with_their_numbers_beside(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    assert!(browser.get("/analytics").await.contains("There is nothing to count yet."));
    browser.post("/memories/new", &[("text", "tea"), ("tags", "<b>"), ("category", "a&b"), ("permission", "private")]).await;

    let page = browser.get("/analytics").await;

    let (_, chart) = page.body.split_once(r#"class="chart""#).expect("a chart");
    assert_eq!(chart.split("</svg>").next().map(|chart| chart.matches("<rect").count()), Some(2));
    assert!(page.body.find("Jan 2026") < page.body.find("Feb 2026") && !page.contains("2026-02"), "from left to right");
    assert!(page.contains("/memories?category=a%26b") && page.contains("&#60;b&#62;</a>"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn without_a_connection_there_are_no_figures(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    for path in ["/activity", "/analytics", "/groups"] {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/connect"), "{path}");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn who_read_what_says_which_way_and_what_for_and_names_every_memory_or_their_number(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("grace").await;
    let browser = house.connected("ada").await;
    let grace = house.server.memo().people["grace"];
    let ids: Vec<uuid::Uuid> = (0..12).map(|_| uuid::Uuid::new_v4()).collect();
    let read = |client: &str, details| {
        json!({
            "happened_at": "2026-01-01T00:00:00.000001+00:00", "event": "memories_read", "user_id": grace, "client_id": client,
            "details": details,
        })
    };
    house.server.memo().events = vec![
        read("6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11", json!({"memory_ids": ids, "door": "mcp", "operation": "search"})),
        read(CLIENT_ID, json!({"memory_ids": ids[..2], "door": "rest", "operation": "persona"})),
    ];

    let page = browser.get("/activity?event=memories_read").await;

    assert!(page.contains("by grace, found by a search") && page.contains("for the answer of a persona"), "{}", page.body);
    assert!(page.contains("· through another application (6f1c1a34) · MCP"));
    assert!(page.contains("and 7 more") && page.contains(&format!("/memories/{}", ids[4])) && page.contains("· REST"));
}
