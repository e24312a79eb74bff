//! Groups of people.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{House, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_group_is_made_filled_renamed_and_deleted(pool: PgPool) {
    let house = House::open(pool).await;
    let grace = house.connected("grace").await;
    let ada = house.connected("ada").await;
    let grace_id = house.server.memo().people["grace"].to_string();

    assert!(ada.get("/groups").await.contains("No groups yet"));
    let path = ada.post("/groups", &[("name", " Family <b> ")]).await.location().to_owned();
    let page = ada.get(&format!("{path}?person=gra")).await;
    assert!(page.contains("Family &#60;b&#62;") && page.contains(&format!(r#"name="add" value="{grace_id}""#)), "{}", page.body);
    assert_eq!(grace.get(&path).await.status, StatusCode::NOT_FOUND, "WEB-09: a group that one is not in is not there");
    assert_eq!(ada.post(&path, &[("add", &grace_id)]).await.location(), path);

    let theirs = grace.get(&path).await;
    assert!(theirs.contains("Leave the group") && !theirs.contains("Delete the group"));
    assert!(ada.get("/groups").await.contains("1 other person"));
    ada.post(&path, &[("name", "Crew")]).await;
    assert!(ada.get(&path).await.contains("<h1>Crew</h1>"));
    assert_eq!(grace.post(&path, &[("remove", &grace_id)]).await.location(), "/groups");
    assert_eq!(house.server.memo().groups[0]["members"], serde_json::json!([]));
    assert_eq!(ada.post(&path, &[("delete", "yes")]).await.location(), "/groups");
    assert_eq!(ada.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_group_without_a_name_comes_back_with_the_reason(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let page = browser.post("/groups", &[("name", " ")]).await;

    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(r#"id="name-error">The name must have 1 to 100 characters."#), "{}", page.body);
    assert_eq!(browser.post("/groups/not-an-id", &[("name", "x")]).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_name_that_was_typed_survives_whatever_fails(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = browser.post("/groups", &[("name", "Family")]).await.location().to_owned();

    let refused = browser.post(&path, &[("name", "a\nb")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.contains("<h1>Family</h1>") && refused.contains("value=\"a\nb\""), "{}", refused.body);
    for status in [401, 429, 503] {
        house.server.trouble("/api/groups", Trouble::Says(status, serde_json::json!({})));
        let page = browser.post("/groups", &[("name", "Crew <b>")]).await;
        assert!(page.contains(r#"value="Crew &#60;b&#62;""#) && page.contains(r#"id="errors""#), "{status}: {}", page.body);
        assert!(!page.contains("No groups yet"), "{status}: nobody knows");
    }
    house.server.no_more_trouble();
    house.server.memo().groups.clear();
    let gone = browser.post(&path, &[("name", "Crew")]).await;
    assert_eq!((gone.status, gone.text_area()), (StatusCode::NOT_FOUND, "Crew"));
    assert!(gone.contains("This group is not here"));
    let unconnected = house.member("grace").await;
    assert_eq!(unconnected.post(&path, &[("name", "Crew")]).await.text_area(), "Crew");
    let foreign = browser.post_raw("/groups", &[("name", "Crew")], &[]).await;
    assert_eq!((foreign.status, foreign.text_area()), (StatusCode::FORBIDDEN, "Crew"));
}
