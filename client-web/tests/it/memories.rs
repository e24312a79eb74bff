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
    assert!(deleted.status == StatusCode::OK && deleted.contains("The memory is deleted."));
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
    assert!(form.contains(r#"value="shared" checked"#));
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
async fn the_list_is_sorted_filtered_by_category_and_suggests_what_was_used(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    for (text, category) in [("first", "work"), ("second", "home"), ("third", "work")] {
        let fields = [("text", text), ("tags", "a <b>tag</b>"), ("category", category), ("permission", "private")];
        browser.post("/memories/new", &fields).await;
    }

    let oldest = browser.get("/memories?sort=oldest").await;
    assert!(oldest.body.find(">first<") < oldest.body.find(">third<"), "{}", oldest.body);
    let work = browser.get("/memories?category=work").await;
    assert!(work.contains(">third<") && !work.contains(">second<"));
    assert!(work.contains(r#"data-from="/memories/suggestions""#) && work.contains("a &#60;b&#62;tag&#60;/b&#62;"));
    browser.get("/memories/new").await;
    assert_eq!(house.server.memo().counted, 0, "memories are counted only when somebody begins to write a tag");
    let suggestions = browser.get("/memories/suggestions").await;
    assert!(suggestions.contains(r#"<option value="home">"#) && suggestions.contains("a &#60;b&#62;tag&#60;/b&#62;"));
    assert_eq!(browser.get("/memories?owner=nobody").await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_others_made_public_is_a_list_without_anything_private(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    write(&ada, "private to Ada", "").await;
    ada.post("/memories/new", &[("text", "from Ada to all"), ("permission", "public")]).await;
    let id = house.server.memo().people["ada"];

    let page = house.connected("grace").await.get(&format!("/memories?owner={id}")).await;

    assert!(page.contains("from Ada to all") && page.contains("What this person lets you see"));
    assert!(!page.contains("private to Ada"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_deletion_is_taken_back_once_and_nothing_of_it_is_kept_here(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "one \"line\"\nand another", "a, b").await;

    let deleted = browser.post(&format!("{path}/delete"), &[]).await;
    assert_eq!(house.server.memo().memories.len(), 0);
    assert_eq!(house.number("SELECT count(*) FROM sessions WHERE data::text LIKE '%another%'").await, 0);
    let (_, rest) = deleted.body.split_once(r#"name="rest" value=""#).expect("the rest");
    let rest = rest.split('"').next().expect("a value").replace("&#34;", "\"");
    let fields = [("text", "one \"line\"\r\nand another"), ("rest", rest.as_str())];
    for _ in 0..2 {
        let back = browser.post("/memories/undo", &fields).await;
        assert!(back.location().ends_with("?done=undone"), "{}", back.body);
    }

    let memories = house.server.memo().memories.clone();
    assert_eq!(memories.len(), 1, "twice is once");
    assert_eq!(memories[0]["text"], "one \"line\"\nand another");
    assert_eq!(memories[0]["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(browser.post("/memories/undo", &[("text", "x"), ("rest", "{}")]).await.status, StatusCode::BAD_REQUEST);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn earlier_versions_show_what_changed_and_come_back(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "Tea is green <i>", "").await;
    let edit = format!("{path}/edit");
    let form = browser.get(&edit).await;
    send_edit(&browser, &edit, &form, "Tea is black <i>").await;

    let page = browser.get(&format!("{path}/history")).await;
    assert!(page.contains("Version 2 · as it is now") && page.contains("Version 1<"), "{}", page.body);
    assert!(page.contains("green </del>") && page.contains("black </ins>") && !page.contains("<i>"));
    let restored = browser.post(&format!("{path}/restore"), &[("version", "1")]).await;

    assert_eq!(restored.location(), format!("{path}?done=restored"));
    assert!(browser.get(&path).await.contains("Tea is green"));
    let stranger = house.connected("grace").await;
    assert_eq!(stranger.get(&format!("{path}/history")).await.status, StatusCode::NOT_FOUND, "WEB-09");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_memory_is_shared_with_people_and_groups_that_were_ticked(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("grace").await;
    let browser = house.connected("ada").await;
    let grace = house.server.memo().people["grace"];
    let group = uuid::Uuid::new_v4();
    house.server.memo().groups = vec![serde_json::json!({"id": group, "name": "Family <b>", "owner_id": grace, "members": []})];

    let created = browser.post("/memories/new", &[("text", "for some"), ("permission", "shared")]).await;
    assert!(created.location().ends_with("/sharing?done=created"), "{}", created.body);
    let path = created.location().split('?').next().expect("a path").to_owned();
    let page = browser.get(&path).await;
    assert!(page.contains("Family &#60;b&#62;") && page.contains(r#"value="shared" checked"#));
    let boxes = [(format!("user:{grace}"), "on"), (format!("group:{group}"), "on")];
    let ticked: Vec<(&str, &str)> = boxes.iter().map(|(name, on)| (name.as_str(), *on)).collect();
    let looking = [&ticked[..], &[("permission", "shared"), ("person", "nobody"), ("find", "1")]].concat();
    let found = browser.post(&path, &looking).await;
    assert!(found.contains(&format!(r#"name="user:{grace}" value="on" checked"#)), "what was ticked stays ticked");
    assert!(found.contains("Nobody in the directory"));
    let saved = browser.post(&path, &[&ticked[..], &[("permission", "shared")]].concat()).await;

    assert!(saved.location().ends_with("?done=shared"), "{}", saved.body);
    let shared_with = house.server.memo().memories[0]["shared_with"].clone();
    assert_eq!(shared_with, serde_json::json!({"users": [grace], "groups": [group]}));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_preview_is_clean_and_stores_nothing(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let text = "**bold** <script>alert(1)</script> [x](javascript:alert(1))";

    let fragment = browser.post("/memories/preview", &[("text", text)]).await;
    let fields = [("text", text), ("permission", "public"), ("tags", "a, b"), ("preview", "1")];
    let page = browser.post("/memories/new", &fields).await;

    for shown in [&fragment, &page] {
        assert!(shown.status == StatusCode::OK && shown.contains("<strong>bold</strong>"), "{}", shown.body);
        assert!(!shown.contains("<script>") && !shown.contains("href=\"javascript"), "WEB-01");
    }
    assert!(page.contains(r#"value="public" checked"#) && page.contains(r#"value="a, b""#), "nothing that was typed is lost");
    assert_eq!(house.server.memo().memories.len(), 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_text_that_is_too_long_is_not_rendered(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let long = ">".repeat(32_769);

    let fragment = browser.post("/memories/preview", &[("text", &long)]).await;
    let page = browser.post("/memories/new", &[("text", &long), ("permission", "private"), ("preview", "1")]).await;
    let deep = browser.post("/memories/preview", &[("text", &long[..32_768])]).await;

    for shown in [&fragment, &page] {
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(shown.contains("this one has 32769") && !shown.contains("<blockquote>"), "{:.900}", shown.body);
    }
    assert_eq!((deep.status, deep.body.matches("<blockquote>").count()), (StatusCode::OK, 32));
    browser.post("/connect", &[("access", "read")]).await;
    let refused = browser.post("/memories/preview", &[("text", "a")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "who may write nothing needs no preview");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_form_that_is_sent_twice_stores_one_memory(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let key = browser.get("/memories/new").await.field("idempotency_key").expect("a key");
    let fields = |text| [("text", text), ("permission", "private"), ("idempotency_key", key.as_str())];

    house.server.memo().unanswered = Some("submit_memory");
    let lost = browser.post("/memories/new", &fields("tea")).await;
    assert_eq!((lost.status, lost.field("idempotency_key")), (StatusCode::SERVICE_UNAVAILABLE, Some(key.clone())));
    house.server.memo().unanswered = None;
    assert_eq!(browser.post("/memories/new", &fields("tea")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.server.memo().memories.len(), 1, "the answer was lost, the memory was not");

    let other = browser.post("/memories/new", &fields("coffee")).await;
    assert_eq!((other.status, other.text_area()), (StatusCode::CONFLICT, "coffee"));
    assert!(other.contains("is stored already") && other.field("idempotency_key").is_some_and(|new| new != key));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_last_version_of_a_page_is_compared_with_the_one_before_it(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "text 1", "").await;
    let edit = format!("{path}/edit");
    for number in 2..=22 {
        let form = browser.get(&edit).await;
        send_edit(&browser, &edit, &form, &format!("text {number}")).await;
    }

    let page = browser.get(&format!("{path}/history")).await;

    let (_, last) = page.body.split_once(r#"id="version-3""#).expect("the last version of the page");
    assert!(last.contains("<del>") && last.contains("<ins>") && !last.contains("version-2\""), "{last}");
    assert!(browser.get(&format!("{path}/history?cursor=20")).await.contains("version-1\""));
}
