//! Keeping the connection alive: one refresh for everybody.

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{House, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn thirty_page_loads_on_two_replicas_refresh_once_web_07(pool: PgPool) {
    let house = House::open(pool).await;
    let second = house.second_web().await;
    let here = house.connected("ada").await;
    let there = here.also_at(&second);
    house.let_access_tokens_expire().await;

    let loads = (0..30).map(|number| if number % 2 == 0 { here.get("/memories") } else { there.get("/memories") });
    let pages = join_all(loads).await;

    assert!(pages.iter().all(|page| page.status == StatusCode::OK));
    let memo = house.server.memo();
    assert_eq!((memo.refreshes, memo.reuses, memo.mints.len()), (1, 0, 1));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_token_that_the_server_refuses_is_renewed_once_web_07(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    // By its age it would be good, but it was revoked.
    house.server.expire_access_tokens();

    let pages = join_all((0..10).map(|_| browser.get("/memories"))).await;

    assert!(pages.iter().all(|page| page.status == StatusCode::OK));
    assert_eq!(house.server.memo().refreshes, 1);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_dead_refresh_token_is_replaced_by_the_user_token_flow(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    house.server.memo().refresh_tokens.clear();

    let page = browser.get("/memories").await;

    assert_eq!(page.status, StatusCode::OK);
    let memo = house.server.memo();
    assert_eq!((memo.refreshes, memo.mints.len()), (1, 2));
    assert_eq!(memo.mints[1]["create_if_not_exists"], false, "a deleted account is not made again silently");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_server_that_forgot_the_account_means_connecting_again(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    house.server.memo().refresh_tokens.clear();
    house.server.memo().people.clear();

    let page = browser.get("/memories").await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.contains("The connection has ended") && page.contains(r#"href="/connect""#));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_server_that_is_away_is_not_stormed_web_12(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    house.server.trouble("/token", Trouble::Says(503, json!({})));

    let pages = join_all((0..20).map(|_| browser.get("/memories"))).await;

    assert!(pages.iter().all(|page| page.status == StatusCode::SERVICE_UNAVAILABLE));
    assert!(pages.iter().all(|page| page.header("retry-after") == "5" && page.contains("Sign out")));
    assert!(house.server.memo().refreshes < 20);
    let before = house.server.memo().refreshes;
    browser.get("/memories").await;
    assert_eq!(house.server.memo().refreshes - before, 2, "WEB-12: two tries, not more");
    house.server.no_more_trouble();
    assert_eq!(browser.get("/memories").await.status, StatusCode::OK, "nothing was lost");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_refresh_that_a_disconnect_overtakes_leaves_no_live_token(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    let load = browser.get("/memories");
    let disconnect = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        browser.post("/connections/disconnect", &[]).await
    };

    let (page, _) = tokio::join!(load, disconnect);

    assert_eq!(page.location(), "/connect");
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 0);
    assert_eq!(house.number("SELECT count(*) FROM revocations").await, 1, "the token that came too late is queued");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_lease_whose_holder_died_is_taken_over(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    house.execute("UPDATE connections SET lease_id = gen_random_uuid(), lease_until = now() + interval '400 milliseconds'").await;

    let page = browser.get("/memories").await;

    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(house.server.memo().refreshes, 1);
}
