//! Registering, signing in and out.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{House, PASSWORD};

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_person_registers_signs_out_and_signs_in_again(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    assert!(browser.get("/connections").await.contains("Sign out"));

    let out = browser.post("/logout", &[]).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/?done=signed-out"));
    assert!(browser.get("/memories").await.location().starts_with("/login?next=%2Fmemories"));

    browser.get("/login").await;
    let back = browser.post("/login", &[("username", " ADA "), ("password", PASSWORD), ("next", "/connections")]).await;
    assert_eq!(back.location(), "/connections");
    assert_eq!(browser.get("/connections").await.status, StatusCode::OK);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn signing_out_ends_the_session_on_the_server_log_02(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    let thief = browser.also_at(&house.web);

    browser.post("/logout", &[]).await;

    assert!(thief.get("/connections").await.location().starts_with("/login"));
    assert_eq!(thief.post("/connect", &[]).await.status, StatusCode::FORBIDDEN, "WEB-03");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_request_under_way_cannot_revive_a_session_that_was_signed_out(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    // A session that is due to be prolonged is saved by whatever request comes next.
    house.execute("UPDATE sessions SET data = jsonb_set(data, '{seen_at}', '1')").await;
    let pages = ["/connections"; 8].map(|path| browser.get(path));

    let (_, out) = tokio::join!(futures_util::future::join_all(pages), browser.post("/logout", &[]));

    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert_eq!(house.number("SELECT count(*) FROM sessions WHERE person_id IS NOT NULL").await, 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_session_id_changes_at_sign_in_and_a_planted_one_is_not_adopted_log_02(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("ada").await;
    let browser = house.stranger();
    browser.set_cookie("picard_web_session", "AAAAAAAAAAAAAAAAAAAAAA");

    browser.get("/login").await;
    let before = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let token_before = browser.csrf();
    browser.post("/login", &[("username", "ada"), ("password", PASSWORD)]).await;
    browser.get("/connections").await;

    assert_ne!(browser.cookies()["picard_web_session"], before);
    assert_ne!(browser.csrf(), token_before);
    let fixed = house.stranger();
    fixed.set_cookie("picard_web_session", &before);
    assert!(fixed.get("/connections").await.location().starts_with("/login"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_stolen_session_table_opens_no_session(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    let id = browser.cookies()["picard_web_session"].clone();

    let stored: Vec<(Vec<u8>, serde_json::Value)> =
        sqlx::query_as("SELECT id_hash, data FROM sessions").fetch_all(&house.pool).await.expect("rows");
    for (hash, data) in stored {
        assert_eq!(hash.len(), 32);
        assert!(!data.to_string().contains(&id) && !String::from_utf8_lossy(&hash).contains(&id));
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn spellings_of_a_taken_username_are_taken_log_11(pool: PgPool) {
    let house = House::open(pool).await;
    house.member("Ada").await;
    let browser = house.stranger();
    browser.get("/register").await;

    for other in ["ada", "ADA", "ａｄａ", " ada "] {
        let page = browser.post("/register", &[("username", other), ("password", PASSWORD)]).await;

        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{other}");
        assert!(page.contains("taken"), "{other}");
    }
    for bad in ["аda", "admin", "a b", ""] {
        let page = browser.post("/register", &[("username", bad), ("password", PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_taken_email_address_does_not_show_whose_it_is_log_06(pool: PgPool) {
    let house = House::open(pool).await;
    let form = |username| [("username", username), ("email", "Ada@Example.org"), ("password", PASSWORD)];
    let browser = house.stranger();
    browser.get("/register").await;
    browser.post("/register", &form("ada")).await;
    let other = house.stranger();
    other.get("/register").await;

    let name_taken = other.post("/register", &[("username", "ada"), ("password", PASSWORD)]).await;
    let address_taken = other.post("/register", &form("grace")).await;

    assert_eq!(name_taken.status, address_taken.status);
    assert!(name_taken.contains("username or e-mail address is taken"));
    assert!(address_taken.contains("username or e-mail address is taken"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_bad_registration_comes_back_with_what_was_typed_but_no_password(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.stranger();
    browser.get("/register").await;

    let fields = [("username", "ada"), ("email", "not an address"), ("password", "pw\"short")];
    let page = browser.post("/register", &[fields[0], fields[1], ("password", "short\"")]).await;

    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(r#"value="ada""#) && page.contains(r#"value="not an address""#));
    assert!(page.contains("8 to 1,024") && page.contains("does not look like an e-mail"));
    assert!(!page.contains("short&quot;") && !page.contains("short&#34;"));
    for password in ["\u{e9}".repeat(1_025), "x".repeat(60_000), "password123".into(), "nul\0nul\0nul".into()] {
        let page = browser.post("/register", &[("username", "ada"), ("password", &password)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "LOG-10");
    }
    let huge = browser.post("/register", &[("username", "ada"), ("password", &"x".repeat(1_000_000))]).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE, "LOG-10");
    assert_eq!(house.number("SELECT count(*) FROM people").await, 0);
}
