//! Writing, reading, changing and deleting memories.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{Browser, House, Page};

async fn write(browser: &Browser, text: &str, tags: &str) -> String {
    let fields = [("text", text), ("tags", tags), ("permission", "private")];
    let page = browser.post("/memories/new", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    page.location().split('?').next().expect("a path").to_owned()
}

/// The edit form as a browser would send it, with another text.
async fn send_edit(browser: &Browser, path: &str, form: &Page, text: &str) -> Page {
    let value = |name| form.field(name).unwrap_or_default();
    let names = ["version", "tags", "tags_was", "category", "category_was", "expires", "expires_was", "permission_was"];
    let values = names.map(value);
    let mut fields: Vec<(&str, &str)> = names.iter().copied().zip(values.iter().map(String::as_str)).collect();
    let permission = value("permission_was");
    fields.push(("permission", if permission.is_empty() { "private" } else { &permission }));
    fields.push(("text", text));
    browser.post(path, &fields).await
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_memory_is_written_read_changed_and_deleted(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let path = write(&browser, "Tea is **green**\r\nand hot", "drinks, tea").await;
    let page = browser.get(&format!("{path}?done=created")).await;
    assert!(page.contains("<strong>green</strong>") && page.contains("Your memory is stored."));
    assert!(page.contains(r#"href="/memories?tag=drinks""#) && page.contains("Private"));
    assert_eq!(house.server.memo().memories[0]["text"], "Tea is **green**\nand hot");

    let edit = format!("{path}/edit");
    let form = browser.get(&edit).await;
    assert_eq!(form.text_area(), "Tea is **green**\nand hot");
    let saved = send_edit(&browser, &edit, &form, "Tea is black").await;
    assert_eq!(saved.location(), format!("{path}?done=saved"));

    let public = browser.post(&format!("{path}/permission"), &[("permission", "public")]).await;
    assert_eq!(public.location(), format!("{path}?done=public"));
    assert!(browser.get(&path).await.contains("Make private"));

    let deleted = browser.post(&format!("{path}/delete"), &[]).await;
    assert_eq!(deleted.location(), "/memories?done=deleted");
    let gone = browser.get(&path).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.contains("This memory is not here"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_list_is_newest_first_in_pages_and_filtered(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    for number in 1..=25 {
        write(&browser, &format!("number {number:02}"), if number % 5 == 0 { "five" } else { "other" }).await;
    }

    let first = browser.get("/memories").await;
    assert!(first.body.find("number 25") < first.body.find("number 06") && !first.contains("number 05"));
    assert!(first.contains(r#"href="/memories?cursor=20""#), "{}", first.body);
    let second = browser.get("/memories?cursor=20").await;
    assert!(second.contains("number 05") && second.contains("number 01") && second.contains("Newest"));
    assert_eq!(browser.get("/memories?cursor=stale&tag=five").await.location(), "/memories?tag=five");

    let filtered = browser.get("/memories?tag=five").await;
    assert!(filtered.contains("number 20") && !filtered.contains("number 21") && filtered.contains("Show all"));
    assert!(browser.get("/memories?permission=public").await.contains("No memory fits these filters"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_conflict_shows_both_texts_and_loses_neither(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "the first text", "a").await;
    let edit = format!("{path}/edit");
    let form = browser.get(&edit).await;
    send_edit(&browser, &edit, &form, "the text of the other tab").await;

    let conflict = send_edit(&browser, &edit, &form, "the text of this tab").await;

    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert_eq!(conflict.text_area(), "the text of this tab");
    assert!(conflict.contains("the text of the other tab") && conflict.contains("changed elsewhere"));
    assert_eq!(house.server.memo().memories[0]["text"], "the text of the other tab");
    let again = send_edit(&browser, &edit, &conflict, "the text of both").await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_eq!(house.server.memo().memories[0]["text"], "the text of both");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_the_form_cannot_express_survives_an_edit(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "tea", "").await;
    {
        let memory = &mut house.server.memo().memories[0];
        memory["tags"] = serde_json::json!(["one, two", "three"]);
        memory["expiration_date"] = serde_json::json!("2031-01-01T10:20:30.123456+00:00");
        memory["permission"] = serde_json::json!("shared");
    }

    let edit = format!("{path}/edit");
    let form = browser.get(&edit).await;
    assert!(form.contains("As it is: shared"));
    send_edit(&browser, &edit, &form, "more tea").await;

    let memory = house.server.memo().memories[0].clone();
    assert_eq!(memory["text"], "more tea");
    assert_eq!(memory["tags"], serde_json::json!(["one, two", "three"]));
    assert_eq!(memory["expiration_date"], "2031-01-01T10:20:30.123456+00:00");
    assert_eq!(memory["permission"], "shared");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_refused_form_comes_back_with_everything_and_the_reason_next_to_the_field(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let fields = |tags: &'static str, expires: &'static str| {
        [("text", "<b>mine</b>"), ("tags", tags), ("category", "work"), ("permission", "public"), ("expires", expires)]
    };

    let page = browser.post("/memories/new", &fields("forbidden", "")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(r#"id="tags-error">Each tag must not be forbidden."#), "{}", page.body);
    assert!(page.contains(r##"href="#tags""##) && page.contains(r#"value="forbidden""#) && page.contains(r#"value="work""#));
    assert!(page.contains(r#"value="public" checked"#));
    assert_eq!(page.text_area(), "&#60;b&#62;mine&#60;/b&#62;");

    let page = browser.post("/memories/new", &fields("", "tomorrow")).await;
    assert!(page.contains(r#"id="expires-error""#) && page.contains(r#"value="tomorrow""#));
    let page = browser.write(" \n ").await;
    assert!(page.contains(r#"id="text-error""#));
    let long = "ä".repeat(32_769);
    let page = browser.write(&long).await;
    assert!(page.contains("this one has 32769") && page.text_area().chars().count() == 32_769);
    assert_eq!(house.server.memo().memories.len(), 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_strangers_memory_is_as_absent_as_one_that_never_was_web_09(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    let path = write(&ada, "private to Ada", "").await;
    let grace = house.connected("grace").await;

    let theirs = grace.get(&path).await;
    let nobodys = grace.get("/memories/00000000-0000-4000-8000-000000000000").await;

    assert_eq!((theirs.status, nobodys.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(theirs.body, nobodys.body);
    assert_eq!(grace.get("/memories/not-an-id").await.status, StatusCode::NOT_FOUND);
    ada.post(&format!("{path}/permission"), &[("permission", "public")]).await;
    let public = grace.get(&path).await;
    assert!(public.contains("private to Ada") && public.contains("Somebody else wrote this"));
    assert!(!public.contains("/edit"), "one cannot change what is not one's own");
    assert_eq!(grace.get(&format!("{path}/edit")).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn searching_shows_matches_with_their_scores(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    write(&browser, "green tea", "").await;
    write(&browser, "coffee", "").await;

    let page = browser.get("/search?q=TEA").await;
    assert!(page.contains("green tea") && page.contains("Match 0.83") && !page.contains("coffee"));
    assert!(page.contains(r#"value="TEA""#));
    assert!(browser.get("/search?q=water").await.contains("Nothing found"));
    assert!(browser.get("/search").await.contains("Ask in your own words"));
    assert!(browser.get("/search?q=tea&scope=public").await.contains("Nothing found"));
}
