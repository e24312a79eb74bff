//! Import and export.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{Browser, House, Page, Trouble};

/// Sends the form of the import page, as browsers do with and without a script.
async fn import(browser: &Browser, file: Option<(&str, &str)>, text: &str, format: &str, strict: &str) -> Page {
    let csrf = browser.csrf();
    let mut parts = vec![("csrf", None, csrf.as_str()), ("format", None, format)];
    if !strict.is_empty() {
        parts.push(("strict", None, strict));
    }
    parts.push(("file", Some(file.map_or("", |file| file.0)), file.map_or("", |file| file.1)));
    parts.push(("text", None, text));
    browser.send_parts("/import", &parts).await
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_text_is_handed_on_as_it_is_and_its_errors_are_shown(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let started = import(&browser, None, "text,tags\r\ntea,\"[]\"\r\n", "csv", "yes").await;

    let import = house.server.memo().imports[0].clone();
    assert_eq!((&import["kind"], &import["on_error"]), (&json!("text/csv"), &json!("stop")), "{}", started.body);
    assert_eq!(import["body"], "text,tags\r\ntea,\"[]\"\r\n");
    let page = browser.get(started.location()).await;
    assert!(
        page.contains("Under way") && page.contains("Row 2") && page.contains("The text must not be &#60;empty&#62;."),
        "{}",
        page.body
    );
    assert!(page.contains("data-again=") && page.contains("Look again"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_file_is_passed_on_whatever_its_size(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let large = format!("[{}]", "\"tea\", ".repeat(4 * 1024 * 1024));
    house.let_access_tokens_expire().await;

    let taken = import(&browser, Some(("mine.json", &large)), "", "", "").await;
    let chosen = import(&browser, Some(("mine.json", "a")), "not this", "csv", "yes").await;

    assert!(taken.location().starts_with("/import/") && chosen.location().starts_with("/import/"), "{}", taken.body);
    let imports = house.server.memo().imports.clone();
    assert!(imports[0]["body"] == large.as_str() && imports[0]["kind"] == "application/json");
    assert_eq!((&imports[1]["body"], &imports[1]["kind"]), (&json!("a"), &json!("text/csv")), "what was chosen counts");
    assert_eq!(imports[1]["on_error"], "stop");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_import_needs_the_token_of_the_session_web_03(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.get("/import").await;
    let csrf = browser.csrf();

    for token in ["", "guess"] {
        let parts = [("csrf", None, token), ("format", None, "json"), ("text", None, "mine")];
        let page = browser.send_parts("/import", &parts).await;
        assert_eq!((page.status, page.text_area()), (StatusCode::FORBIDDEN, "mine"), "{token}");
    }
    let late = [("file", Some("a.csv"), "text\ntea"), ("csrf", None, csrf.as_str())];
    assert_eq!(browser.send_parts("/import", &late).await.status, StatusCode::FORBIDDEN, "nothing is read before the token");
    let other = browser.post("/import", &[("text", "mine")]).await;
    assert_eq!(other.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(house.server.memo().imports.is_empty());
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_is_refused_is_not_lost_and_says_why(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let empty = import(&browser, None, " ", "", "").await;
    assert!(empty.status == StatusCode::UNPROCESSABLE_ENTITY && empty.contains(r#"id="text-error""#));
    let long = format!("{{\"text\": \"{}\"}}", "tea ".repeat(500_000));
    for (status, said) in
        [(422, "cannot be read"), (503, "cannot be reached"), (403, "You may not do this"), (413, "does not take a file")]
    {
        house.server.trouble("/api/memories/import", Trouble::Says(status, json!({"code": "x"})));
        let page = import(&browser, None, &long, "json", "").await;
        let file = import(&browser, Some(("a.csv", "text\ntea\n")), "", "", "").await;

        assert!(page.contains(said) && file.contains(said), "{status}: {}", file.body);
        assert!(page.text_area().len() > 2_000_000 && page.contains(r#"value="json" selected"#), "{status}");
        assert!(matches!(status, 503 | 403) || file.contains(r#"id="file-error""#), "{status}");
    }
    house.server.no_more_trouble();
    let huge = import(&browser, None, &"x".repeat(16 * 1024 * 1024 + 1), "", "").await;
    assert!(huge.status == StatusCode::PAYLOAD_TOO_LARGE && huge.contains("Choose it as a file instead"));
    assert!(house.server.memo().imports.is_empty());
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
    let links = browser.get("/import").await;
    assert!(links.contains(r#"href="/export?format=csv">"#) && !links.contains(" download"), "a failure is a page and no file");
    assert!(house.stranger().get("/export").await.location().starts_with("/login"));
}
