//! Finding memories.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::House;

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn searching_shows_matches_with_their_scores(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("green tea").await;
    browser.write("coffee").await;

    let page = browser.get("/search?q=TEA").await;
    assert!(page.contains("green tea") && page.contains("Match 0.83") && !page.contains("coffee"));
    assert!(page.contains("meaning 0.66") && page.contains("What the numbers mean") && page.contains("1 memory fits."));
    assert!(page.contains(r#"value="TEA""#));
    assert!(browser.get("/search?q=water").await.contains("Nothing found"));
    assert!(browser.get("/search").await.contains("Ask in your own words"));
    assert!(browser.get("/search?q=tea&scope=public").await.contains("Nothing found"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_search_asks_the_server_for_what_the_form_says(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let address = "/search?q=tea&scope=shared&mode=keyword&tag=hot&category=drinks&expiry=all\
                   &since=2026-01-05&until=2026-02-01&least=0.5&n=60";
    let page = browser.get(address).await;

    let asked = house.server.memo().queries.pop().expect("a query");
    let expected = serde_json::json!({
        "query": "tea", "limit": 60, "scope": "shared", "mode": "keyword", "tags": ["hot"], "category": "drinks",
        "expiration_status": "all", "created_after": "2026-01-05T00:00:00Z", "created_before": "2026-02-02T00:00:00Z",
        "min_score": 0.5,
    });
    assert_eq!(asked, expected);
    for chosen in [
        r#"value="shared" selected"#,
        r#"value="keyword" selected"#,
        r#"value="hot""#,
        r#"value="all" selected"#,
        r#"value="2026-01-05""#,
    ] {
        assert!(page.contains(chosen), "{chosen}");
    }
    browser.get("/search?q=tea&scope=everyone&mode=magic&expiry=x&since=x&until=1.1.26&least=9&n=-1").await;
    let asked = house.server.memo().queries.pop().expect("a query");
    assert_eq!(asked, serde_json::json!({"query": "tea", "limit": 20}), "what makes no sense is left to the server's defaults");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_question_that_the_server_refuses_stays_in_the_form(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let errors = serde_json::json!({"code": "invalid", "errors": [{"field": "query", "message": "must be shorter"}]});
    house.server.trouble("/api/tools", crate::kit::Trouble::Says(422, errors));

    let page = browser.get("/search?q=%3Cb%3Elong").await;

    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("The question must be shorter.") && page.contains(r#"value="&#60;b&#62;long""#), "{}", page.body);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn numbers_are_written_as_the_language_does(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("green tea").await;

    let page = browser.get_with("/search?q=tea&least=0.25", &[("accept-language", "de")]).await;

    assert!(page.contains("Übereinstimmung 0,83") && page.contains("Sinn 0,66") && page.contains(">0,25<"), "{}", page.body);
    assert!(page.contains(r#"value="0.83""#) && page.contains(r#"value="0.25" selected"#), "machines read points");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_hundred_long_memories_are_shown_and_more_than_that_says_what_to_do(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("tea").await;
    let memory = house.server.memo().memories[0].clone();
    for _ in 0..100 {
        let mut long = memory.clone();
        long["text"] = format!("tea {}", "\u{1d11e}".repeat(32_000)).into();
        house.server.memo().memories.push(long);
    }

    let shown = browser.get("/search?q=tea&n=100").await;
    assert_eq!(shown.status, StatusCode::OK, "{:.900}", shown.body);
    for _ in 0..60 {
        let long = house.server.memo().memories[100].clone();
        house.server.memo().memories.push(long);
    }
    let much = browser.get("/search?q=tea&n=100").await;
    assert!(much.status == StatusCode::BAD_GATEWAY && much.contains("too long to be shown together"), "{:.900}", much.body);
}
