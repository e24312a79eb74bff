//! What belongs to the account: what others see, the password, the end.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{House, PASSWORD, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_others_see_is_kept_by_the_server(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    let fields = [("display_name", " Ada <b> "), ("bio", "engines\r\nand poems"), ("is_listed", "yes")];
    assert_eq!(browser.post("/profile/public", &fields).await.location(), "/profile?done=settings");
    let expected = json!({"display_name": "Ada <b>", "bio": "engines\nand poems", "is_listed": true});
    assert_eq!(house.server.memo().profile, expected);
    let page = browser.get("/profile").await;
    assert!(page.contains("Ada &#60;b&#62;") && page.text_area() == "engines\nand poems");
    assert!(page.contains(r#"name="is_listed" value="yes" checked"#));

    house.server.trouble("/api/users/me", Trouble::Says(503, json!({})));
    let page = browser.post("/profile/public", &fields).await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && page.contains("engines"), "nothing that was typed is lost");
    let page = browser.get("/profile").await;
    assert!(page.status == StatusCode::OK && page.contains(r#"name="language""#), "the rest works without the server");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_new_password_ends_every_other_session_log_02(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let thief = browser.also_at(&house.web);

    let wrong = browser.post("/profile/password", &[("current_password", "x"), ("new_password", "five calm herons")]).await;
    assert!(wrong.contains(r#"id="current_password-error""#) && !wrong.contains("five calm herons"));
    let bad = browser.post("/profile/password", &[("current_password", PASSWORD), ("new_password", "short")]).await;
    assert!(bad.contains(r#"id="new_password-error""#));
    let fields = [("current_password", PASSWORD), ("new_password", "five calm herons")];
    assert_eq!(browser.post("/profile/password", &fields).await.location(), "/profile?done=password");

    assert!(browser.get("/profile?done=password").await.contains("Your password is changed."));
    assert!(thief.get("/profile").await.location().starts_with("/login"));
    let again = house.stranger();
    again.get("/login").await;
    let old = again.post("/login", &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = again.post("/login", &[("username", "ada"), ("password", "five calm herons")]).await;
    assert_eq!(new.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn guessing_the_present_password_is_limited_log_07(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    for _ in 0..10 {
        let page = browser.post("/profile/delete", &[("password", "guess")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    let page = browser.post("/profile/delete", &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.number("SELECT count(*) FROM people").await, 1);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_account_goes_here_alone_or_everywhere(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    let grace = house.connected("grace").await;

    let gone = ada.post("/profile/delete", &[("password", PASSWORD)]).await;
    assert_eq!(gone.location(), "/?done=account-deleted");
    assert_eq!(house.server.memo().deletions, 0);
    assert_eq!(house.server.memo().revoked.len(), 1, "WEB-08");
    assert_eq!(house.number("SELECT count(*) FROM people WHERE username = 'ada'").await, 0);
    assert!(ada.get("/memories").await.location().starts_with("/login"));

    house.server.trouble("/api/users/me", Trouble::Says(503, json!({})));
    let fields = [("password", PASSWORD), ("everywhere", "yes")];
    let kept = grace.post("/profile/delete", &fields).await;
    assert_eq!(kept.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.number("SELECT count(*) FROM people").await, 1, "all or nothing");
    house.server.no_more_trouble();
    grace.post("/profile/delete", &fields).await;
    assert_eq!(house.server.memo().deletions, 1);
    assert_eq!(house.number("SELECT count(*) FROM people").await + house.number("SELECT count(*) FROM connections").await, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_error_in_one_form_leaves_the_others_as_they_were(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let stored = [("display_name", "Ada"), ("bio", "engines"), ("is_listed", "yes")];
    browser.post("/profile/public", &stored).await;
    let wrong = [("current_password", PASSWORD), ("new_password", "short")];

    let page = browser.post("/profile/password", &wrong).await;
    assert!(page.text_area() == "engines" && page.contains(r#"value="Ada""#), "what is stored does not vanish: {}", page.body);
    let typed = [
        ("kept_language", "de"),
        ("kept_theme", "dark"),
        ("kept_zone", "Asia/To"),
        ("kept_display_name", "Ada <b>"),
        ("kept_bio", "and poems"),
        ("kept_is_listed", ""),
    ];
    let page = browser.post("/profile/password", &[&wrong[..], &typed[..]].concat()).await;
    assert!(page.text_area() == "and poems" && page.contains("Ada &#60;b&#62;") && page.contains(r#"value="Asia/To""#));
    assert!(page.contains(r#"value="dark" selected"#) && !page.contains(r#"name="is_listed" value="yes" checked"#));
    let page = browser.post("/profile", &[&[("zone", "Mars/Olympus")][..], &typed[3..]].concat()).await;
    assert!(page.text_area() == "and poems" && page.contains(r#"value="Mars/Olympus""#), "{}", page.body);
    house.server.trouble("/api/users/me", Trouble::Says(503, json!({})));
    let page = browser.post("/profile/public", &[&[("bio", "new")][..], &typed[..3]].concat()).await;
    assert!(page.text_area() == "new" && page.contains(r#"value="Asia/To""#));
    assert_eq!(house.number("SELECT count(*) FROM people WHERE theme IS NOT NULL").await, 0, "kept is not stored");
}
