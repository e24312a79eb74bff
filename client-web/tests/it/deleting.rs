//! Taking deletions back when something goes wrong.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::kit::{Browser, House, Page, Trouble};

async fn write(browser: &Browser, text: &str, permission: &str) -> String {
    let page = browser.post("/memories/new", &[("text", text), ("permission", permission)]).await;
    page.location().split(['?']).next().expect("a path").trim_end_matches("/sharing").to_owned()
}

fn rest(page: &Page) -> String {
    page.field("rest").expect("the rest").replace("&#34;", "\"")
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_had_expired_is_not_published_again(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "long over", "public").await;
    {
        let memory = &mut house.server.memo().memories[0];
        memory["expiration_date"] = json!("2020-01-01T00:00:00.000000+00:00");
        memory["is_expired"] = json!(true);
    }

    let deleted = browser.post(&format!("{path}/delete"), &[]).await;
    browser.post("/memories/undo", &[("text", "long over"), ("rest", &rest(&deleted))]).await;

    let back = house.server.memo().memories[0].clone();
    assert_eq!((&back["permission"], &back["expiration_date"]), (&json!("private"), &json!(null)), "{back}");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_group_that_one_has_left_does_not_keep_a_deletion_from_being_taken_back(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let (group, left) = (Uuid::new_v4(), Uuid::new_v4());
    house.server.memo().groups = vec![json!({"id": group, "name": "Family", "owner_id": group, "members": []})];
    let path = write(&browser, "for some", "shared").await;
    house.server.memo().memories[0]["shared_with"] = json!({"users": [], "groups": [left, group]});

    let deleted = browser.post(&format!("{path}/delete"), &[]).await;
    let back = browser.post("/memories/undo", &[("text", "for some"), ("rest", &rest(&deleted))]).await;

    assert!(back.location().ends_with("?done=undone"), "{}", back.body);
    assert_eq!(house.server.memo().memories[0]["shared_with"]["groups"], json!([group]));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_text_that_cannot_be_stored_again_can_be_copied(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let text = format!("a long thought {}", "with words ".repeat(60));
    let path = write(&browser, &text, "private").await;
    let deleted = browser.post(&format!("{path}/delete"), &[]).await;
    let rest = rest(&deleted);

    for status in [401, 422, 429, 503] {
        house.server.trouble("/api/tools", Trouble::Says(status, json!({"code": "x"})));
        let page = browser.post("/memories/undo", &[("text", &text), ("rest", &rest)]).await;
        assert_eq!(page.text_area(), text, "{status}");
        assert!(page.contains("readonly") && page.field("rest").is_some(), "{status}");
    }
    let broken = browser.post("/memories/undo", &[("text", &text), ("rest", "?")]).await;
    assert_eq!((broken.status, broken.text_area()), (StatusCode::BAD_REQUEST, text.as_str()));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_deletion_whose_answer_is_lost_loses_no_text(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = write(&browser, "the only copy", "private").await;
    let delete = format!("{path}/delete");

    house.server.memo().away = Some("delete_memory");
    let not_done = browser.post(&delete, &[]).await;
    assert_eq!((not_done.status, house.server.memo().memories.len()), (StatusCode::SERVICE_UNAVAILABLE, 1));
    assert!(not_done.field("rest").is_none(), "it is there still: nothing is to be taken back");

    house.server.memo().away = None;
    house.server.memo().unanswered = Some("delete_memory");
    let done = browser.post(&delete, &[]).await;
    assert!(done.status == StatusCode::OK && done.contains("The memory is deleted.") && done.field("rest").is_some());
    house.server.memo().unanswered = None;
    let back = browser.post("/memories/undo", &[("text", "the only copy"), ("rest", &rest(&done))]).await;
    assert!(back.location().ends_with("?done=undone"));
}
