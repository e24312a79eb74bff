//! Ending the connection.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;

use crate::kit::{House, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn disconnecting_revokes_at_the_server_and_forgets_web_08(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let refresh_token = house.server.memo().issued[1].clone();

    let page = browser.post("/connections/disconnect", &[]).await;

    assert_eq!(page.location(), "/connections?done=disconnected");
    assert!(house.server.memo().revoked.contains(&refresh_token));
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 0);
    assert_eq!(house.number("SELECT count(*) FROM revocations").await, 0);
    assert!(browser.get("/connections").await.contains("Not connected"));
    assert_eq!(browser.get("/memories").await.location(), "/connect");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_revocation_that_fails_is_made_later_web_08(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let refresh_token = house.server.memo().issued[1].clone();
    house.server.trouble("/revoke", Trouble::Says(503, json!({})));

    let page = browser.post("/connections/disconnect", &[]).await;
    assert_eq!(page.location(), "/connections?done=disconnecting");
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 0);

    house.server.no_more_trouble();
    house.execute("UPDATE revocations SET next_attempt_at = now()").await;
    // Housekeeping starts with a look at what is due.
    let second = house.second_web().await;
    for _ in 0..100 {
        if house.server.memo().revoked.contains(&refresh_token) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(house.server.memo().revoked.contains(&refresh_token));
    second.stop().await.expect("it stops");
    assert_eq!(house.number("SELECT count(*) FROM revocations").await, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn signing_out_keeps_the_connection_as_the_page_says_web_08(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    assert!(browser.get("/connections").await.contains("Signing out keeps the connection"));

    browser.post("/logout", &[]).await;

    assert_eq!(house.number("SELECT count(*) FROM connections").await, 1);
}
