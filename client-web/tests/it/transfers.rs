//! Import and export.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{House, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_text_is_handed_on_as_it_is_and_its_errors_are_shown(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let fields = [("text", "text,tags\r\ntea,\"[]\"\r\n"), ("format", "csv"), ("strict", "yes")];

    let started = browser.post("/import", &fields).await;

    let import = house.server.memo().imports[0].clone();
    assert_eq!((&import["kind"], &import["on_error"]), (&json!("text/csv"), &json!("stop")));
    assert_eq!(import["body"], "text,tags\r\ntea,\"[]\"\r\n");
    let page = browser.get(started.location()).await;
    assert!(
        page.contains("Under way") && page.contains("Row 2") && page.contains("text must not be &#60;empty&#62;"),
        "{}",
        page.body
    );
    assert!(page.contains("data-again=") && page.contains("Look again"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_file_needs_the_token_of_the_session_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.get("/import").await;
    let csrf = browser.csrf();

    for token in ["", "guess"] {
        let page = browser.send_file("/import/file?format=json", token, "[]".to_owned()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert!(house.server.memo().imports.is_empty());
    let large = format!("[{}]", " ".repeat(2 * 1024 * 1024));
    let taken = browser.send_file("/import/file?format=json", &csrf, large.clone()).await;
    assert!(taken.location().starts_with("/import/"), "{}", taken.body);
    assert_eq!(house.server.memo().imports[0]["kind"], "application/json");
    assert_eq!(house.server.memo().imports[0]["body"], large);
    let huge = browser.send_file("/import/file", &csrf, " ".repeat(16 * 1024 * 1024 + 1)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_text_that_is_refused_is_not_lost(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let empty = browser.post("/import", &[("text", " ")]).await;
    assert!(empty.status == StatusCode::UNPROCESSABLE_ENTITY && empty.contains(r#"id="text-error""#));
    for (status, said) in [(422, "cannot be read"), (503, "cannot be reached"), (403, "You may not do this")] {
        house.server.trouble("/api/memories/import", Trouble::Says(status, json!({"code": "x"})));
        let page = browser.post("/import", &[("text", "{\"text\": \"tea\"}"), ("format", "json")]).await;

        assert!(page.contains(said), "{status}: {}", page.body);
        assert!(page.text_area().contains("tea") && page.contains(r#"value="json" selected"#), "{status}");
    }
    assert_eq!(browser.get("/import/00000000-0000-4000-8000-000000000000").await.status, StatusCode::NOT_FOUND, "WEB-09");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_export_is_passed_on_as_a_file(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;

    for (format, kind, name) in [("ndjson", "application/x-ndjson", "memories.ndjson"), ("csv", "text/csv", "memories.csv")] {
        let file = browser.get(&format!("/export?format={format}")).await;

        assert_eq!((file.status, file.body.as_str()), (StatusCode::OK, format!("everything as {format}").as_str()));
        assert!(file.header("content-type").starts_with(kind));
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!((file.header("cache-control"), file.header("x-content-type-options")), ("no-store", "nosniff"), "WEB-09");
    }
    house.server.trouble("/api/memories/export", Trouble::Says(503, json!({})));
    let page = browser.get("/export").await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && page.contains("cannot be reached"));
    assert!(house.stranger().get("/export").await.location().starts_with("/login"));
}
