//! Connecting to the Picard server, and everything that it may answer.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{CLIENT_ID, House, PASSWORD, Trouble};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_person_connects_and_the_server_gets_what_the_page_says(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.stranger();
    browser.get("/register").await;
    let fields = [("username", "ada"), ("email", "ada@example.org"), ("password", PASSWORD)];
    browser.post("/register", &fields).await;

    let page = browser.get("/connect").await;
    assert!(page.contains("Read your memories") && page.contains("Write your memories") && page.contains("e-mail"));
    assert_eq!(browser.get("/memories").await.location(), "/connect");
    let connected = browser.post("/connect", &[]).await;

    assert_eq!(connected.location(), "/memories?done=connected");
    let mint = house.server.memo().mints[0].clone();
    assert_eq!(mint["client_id"], CLIENT_ID);
    assert_eq!(
        (&mint["username"], &mint["email"], &mint["create_if_not_exists"], &mint["scope"]),
        (&json!("ada"), &json!("ada@example.org"), &json!(true), &json!("memories:read memories:write"))
    );
    assert!(browser.get("/memories").await.contains("Nothing remembered yet"));
    assert!(browser.get("/connections").await.contains("write your memories"));
}

/// What the server may answer, the status of the page, and words on it.
fn refusals() -> Vec<(Trouble, u16, &'static str)> {
    let says = |status, error: &str| Trouble::Says(status, json!({"error": error}));
    let operator = "picard-web register-client";
    vec![
        (says(401, "invalid_client"), 502, operator),
        (says(403, "unauthorized_client"), 502, operator),
        (says(409, "account_link_required"), 409, "in use by another account"),
        (says(403, "access_denied"), 403, "belongs to an administrator"),
        (says(404, "user_not_found"), 403, "not there any more"),
        (says(429, "slow_down"), 429, "short break"),
        (says(503, "unavailable"), 503, "cannot be reached"),
        (says(500, "oops"), 502, "in trouble"),
        (says(418, "teapot"), 502, "in trouble"),
        (Trouble::Babbles("<html>".into()), 502, "in trouble"),
        (Trouble::Babbles("x".repeat(10_000_000)), 502, "in trouble"),
    ]
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn every_refusal_of_the_server_is_a_page_that_says_what_to_do(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    for (trouble, status, words) in refusals() {
        house.server.trouble("/api/user-tokens/user-token", trouble);
        house.execute("DELETE FROM attempts").await;
        let page = browser.post("/connect", &[]).await;

        assert_eq!(page.status.as_u16(), status, "{words}");
        assert!(page.contains(words), "{words}: {}", page.body);
        assert!(page.contains("Sign out") && page.contains(r#"action="/connect""#), "one can try again");
        assert!(!page.contains(house.server.url()), "WEB-12: no internal address");
        assert_eq!(matches!(status, 429 | 503), page.headers.contains_key("retry-after"));
    }

    house.server.no_more_trouble();
    assert_eq!(browser.post("/connect", &[]).await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_server_that_is_away_is_a_readable_page_web_12(pool: PgPool) {
    let house = House::open_with(pool, &["--server-url=http://127.0.0.1:1"]).await;
    let browser = house.member("ada").await;

    let page = browser.post("/connect", &[]).await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("cannot be reached") && !page.contains("127.0.0.1:1"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn without_credentials_the_page_tells_the_operator_what_to_run(pool: PgPool) {
    let house = House::open_with(pool, &["--client-id=", "--client-secret="]).await;
    let browser = house.member("ada").await;

    let page = browser.get("/connect").await;
    assert!(page.contains("picard-web register-client --env-file .env") && page.contains("CLIENT_ID"));

    assert_eq!(browser.post("/connect", &[]).await.status, StatusCode::BAD_GATEWAY);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn tokens_are_encrypted_and_useless_in_another_persons_row_web_06(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    let grace = house.connected("grace").await;
    ada.post("/memories/new", &[("text", "the secret of Ada"), ("permission", "private")]).await;

    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT access_token, refresh_token FROM connections").fetch_all(&house.pool).await.expect("rows");
    for (access, refresh) in rows {
        assert!(access.starts_with("gAAAA") && refresh.starts_with("gAAAA"), "Fernet tokens");
    }
    house
        .execute(
            "UPDATE connections SET access_token = theirs.access_token, refresh_token = theirs.refresh_token
             FROM connections theirs, people ada
             WHERE ada.username = 'ada' AND theirs.person_id = ada.id AND connections.person_id <> ada.id",
        )
        .await;
    let page = grace.get("/memories").await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.contains("has to be made again") && !page.contains("the secret of Ada"));
    assert!(ada.get("/memories").await.contains("the secret of Ada"));
    grace.post("/connect", &[]).await;
    assert_eq!(grace.get("/memories").await.status, StatusCode::OK, "connecting again mends it");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn connecting_again_ends_the_access_that_it_replaces(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    browser.post("/connect", &[]).await;

    assert_eq!(house.number("SELECT count(*) FROM connections").await, 1);
    assert_eq!(house.number("SELECT count(*) FROM revocations").await, 1);
}
