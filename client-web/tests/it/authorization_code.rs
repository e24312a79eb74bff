//! Connecting with an account that somebody has at the Picard server (RFC 6749, section 4.1).

use std::collections::HashMap;

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{Browser, CLIENT_ID, House, Page, Trouble};

fn parameters(address: &str) -> HashMap<String, String> {
    let url = url::Url::parse(address).expect("an address");
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Where the browser is sent, with its parameters.
pub(crate) async fn begin(browser: &Browser, access: &str) -> HashMap<String, String> {
    browser.get("/connect").await;
    let page = browser.post("/connect/authorize", &[("access", access)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    parameters(page.location())
}

/// The browser comes back with what the server says; `issuer` is what the answer names.
pub(crate) async fn come_back(browser: &Browser, pairs: &[(&str, &str)]) -> Page {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    browser.get(&format!("/oauth/callback?{query}")).await
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_person_connects_with_an_account_at_the_server(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    assert!(browser.get("/connect").await.contains("Sign in at the Picard server"));

    let asked = begin(&browser, "write").await;

    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT_ID);
    assert_eq!(asked["scope"], "memories:read memories:write");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["ui_locales"], "en", "the language of this page");
    assert!(asked["redirect_uri"].ends_with("/oauth/callback"));
    assert!(asked["state"].len() >= 43 && asked["code_challenge"].len() == 43, "256 bits each");
    let code = house.server.allow("captain", &asked);
    let done = come_back(&browser, &[("code", &code), ("state", &asked["state"]), ("iss", house.server.url())]).await;

    assert_eq!(done.location(), "/memories?done=connected", "{}", done.body);
    assert!(house.server.memo().mints.is_empty(), "no account was made");
    let connections = browser.get("/connections").await;
    assert!(connections.contains("by you, at the Picard server") && connections.contains(r#"action="/connect/authorize""#));
    let written = browser.post("/memories/new", &[("text", "Tea, Earl Grey"), ("permission", "private")]).await;
    assert_eq!(written.status, StatusCode::SEE_OTHER, "{}", written.body);
    assert_eq!(house.number("SELECT count(*) FROM authorizations").await, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_answer_that_is_not_ours_asks_for_no_tokens_web_04(pool: PgPool) {
    let house = House::open(pool).await;
    let (ada, eve) = (house.member("ada").await, house.member("eve").await);
    let issuer = house.server.url().to_owned();
    let evil = "https://evil.example";
    for case in 0..9 {
        house.execute("DELETE FROM attempts").await;
        let asked = begin(&ada, "write").await;
        let code = house.server.allow("ada-there", &asked);
        let state = asked["state"].as_str();
        let page = match case {
            0 => come_back(&ada, &[("code", &code), ("iss", &issuer)]).await,
            1 => come_back(&ada, &[("code", &code), ("state", "another"), ("iss", &issuer)]).await,
            2 => come_back(&eve, &[("code", &code), ("state", state), ("iss", &issuer)]).await,
            3 => come_back(&house.stranger(), &[("code", &code), ("state", state), ("iss", &issuer)]).await,
            4 => come_back(&ada, &[("state", state), ("iss", &issuer)]).await,
            5 => come_back(&ada, &[("error", "access_denied"), ("state", state), ("iss", &issuer)]).await,
            6 => come_back(&ada, &[("error", "server_error"), ("code", &code), ("state", state), ("iss", &issuer)]).await,
            7 => come_back(&ada, &[("code", &code), ("state", state)]).await,
            _ => come_back(&ada, &[("code", &code), ("state", state), ("iss", evil)]).await,
        };
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "WEB-04, case {case}: {}", page.body);
        assert!(page.contains("<h1>") && !page.contains(&code), "case {case}");
        assert_eq!(house.server.memo().redeemed, 0, "WEB-04, case {case}: no token request");
    }
    assert!(come_back(&ada, &[("state", "a"), ("state", "b")]).await.status.is_client_error());
    assert_eq!(house.number("SELECT count(*) FROM connections").await, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_state_is_good_once_and_for_ten_minutes_web_04(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let asked = begin(&browser, "read").await;
    let code = house.server.allow("ada-there", &asked);
    let pairs = [("code", code.as_str()), ("state", asked["state"].as_str()), ("iss", house.server.url())];
    let (first, second) = tokio::join!(come_back(&browser, &pairs), come_back(&browser, &pairs));
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::BAD_REQUEST], "WEB-04: replayed");
    assert_eq!(house.server.memo().redeemed, 1);
    assert!(browser.get("/memories").await.contains("Allow writing"), "only reading was allowed");

    let asked = begin(&browser, "write").await;
    let code = house.server.allow("ada-there", &asked);
    house.execute("UPDATE authorizations SET expires_at = now()").await;
    let late = come_back(&browser, &[("code", &code), ("state", &asked["state"]), ("iss", house.server.url())]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.server.memo().redeemed, 1);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn another_servers_metadata_lead_nowhere(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    browser.get("/connect").await;
    let honest = house.server.metadata();
    let with = |member: &str, value: serde_json::Value| {
        let mut metadata = honest.clone();
        metadata[member] = value;
        metadata
    };
    for metadata in [
        with("issuer", json!("https://evil.example")),
        with("authorization_endpoint", json!("https://evil.example/authorize")),
        with("authorization_endpoint", json!("no address")),
        with("code_challenge_methods_supported", json!(["plain"])),
        json!({}),
    ] {
        house.server.trouble("/.well-known/oauth-authorization-server", Trouble::Says(200, metadata));
        let page = browser.post("/connect/authorize", &[]).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.location());
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn tokens_are_refreshed_once_and_never_shown_web_05_web_07(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let asked = begin(&browser, "write").await;
    let code = house.server.allow("ada-there", &asked);
    let mut pages = vec![come_back(&browser, &[("code", &code), ("state", &asked["state"]), ("iss", house.server.url())]).await];
    house.let_access_tokens_expire().await;

    let loads: Vec<_> = (0..10).map(|_| browser.get("/memories")).collect();
    for page in futures_util::future::join_all(loads).await {
        assert_eq!(page.status, StatusCode::OK, "WEB-07");
        pages.push(page);
    }
    let (refreshes, reuses) = {
        let memo = house.server.memo();
        (memo.refreshes, memo.reuses)
    };
    assert_eq!((refreshes, reuses), (1, 0), "WEB-07");
    pages.push(browser.get("/connections").await);
    let issued = house.server.memo().issued.clone();
    for page in pages {
        assert!(issued.iter().all(|token| !page.contains(token) && !format!("{:?}", page.headers).contains(token)), "WEB-05");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn when_the_person_ended_it_at_the_server_the_text_is_kept_and_nothing_is_minted(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let asked = begin(&browser, "write").await;
    let code = house.server.allow("ada-there", &asked);
    come_back(&browser, &[("code", &code), ("state", &asked["state"]), ("iss", house.server.url())]).await;
    browser.get("/memories/new").await;
    house.let_access_tokens_expire().await;
    house.server.memo().refresh_tokens.clear();

    let page = browser.post("/memories/new", &[("text", "written for an hour"), ("permission", "private")]).await;

    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.contains("The connection has ended") || page.contains("does not accept"), "{}", page.body);
    assert_eq!(page.text_area().trim(), "written for an hour", "nothing that was typed is lost");
    assert!(page.contains("Connect in a new tab"));
    assert!(house.server.memo().mints.is_empty(), "only the person can allow it again");
}
