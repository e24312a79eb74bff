//! Languages, looks and time zones.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::{House, PASSWORD};

const GERMAN: [(&str, &str); 1] = [("accept-language", "de-DE,de;q=0.9,en;q=0.5")];

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_language_is_the_browsers_until_a_person_sets_another(pool: PgPool) {
    let house = House::open(pool).await;
    let stranger = house.stranger();

    let page = stranger.get_with("/login", &GERMAN).await;
    assert!(page.contains(r#"<html lang="de">"#) && page.contains("Anmelden") && !page.contains("Sign in"));
    let nowhere = stranger.get_with("/nowhere", &GERMAN).await;
    assert!(nowhere.contains("Diese Seite gibt es nicht"), "{}", nowhere.body);

    let browser = house.connected("ada").await;
    assert!(browser.get("/memories").await.contains(r#"<html lang="en">"#));
    let saved = browser.post("/profile", &[("language", "de")]).await;
    assert_eq!(saved.location(), "/profile?done=settings");
    let page = browser.get("/memories").await;
    assert!(page.contains(r#"<html lang="de">"#) && page.contains("Noch nichts gemerkt"));
    browser.post("/profile", &[("language", "en")]).await;
    assert!(browser.get_with("/memories", &GERMAN).await.contains("Nothing remembered yet"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_is_wrong_with_a_form_is_said_in_the_language_of_the_page(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.post("/profile", &[("language", "de")]).await;

    let page = browser.post("/memories/new", &[("text", "tea"), ("tags", "forbidden"), ("permission", "private")]).await;
    assert!(page.contains("höchstens 100 Schlagwörter") && !page.contains("must not be"), "{}", page.body);

    let stranger = house.stranger();
    stranger.get("/register").await;
    let csrf = stranger.csrf();
    let fields = [("csrf", csrf.as_str()), ("username", "a b"), ("password", PASSWORD)];
    let page = stranger.post_raw("/register", &fields, &GERMAN).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("Ein Benutzername hat 1 bis 64 Buchstaben"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn times_are_in_the_zone_that_a_person_sets_or_the_browser_tells(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("tea").await;

    assert!(browser.get("/memories").await.contains("1 Jan 2026, 00:00 UTC"));
    browser.set_cookie("picard_zone", "Asia/Tokyo");
    let told = browser.get("/memories").await;
    assert!(told.contains("1 Jan 2026, 09:00<") && told.contains("All times are in Asia/Tokyo."), "{}", told.body);
    browser.post("/profile", &[("zone", "Europe/Berlin")]).await;
    assert!(browser.get("/memories").await.contains("1 Jan 2026, 01:00<"));

    let fields = [("text", "until summer"), ("permission", "private"), ("expires", "2031-07-01T14:00")];
    browser.post("/memories/new", &fields).await;
    assert_eq!(house.server.memo().memories[1]["expiration_date"], "2031-07-01T12:00:00Z");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn light_and_dark_are_the_systems_until_a_person_sets_one(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    let page = browser.get("/profile").await;
    assert!(!page.contains("data-theme") && page.contains(r#"content="light dark""#));
    browser.post("/profile", &[("theme", "dark"), ("language", "de"), ("zone", "Europe/Berlin")]).await;
    let page = browser.get("/profile").await;

    assert!(page.contains(r#"data-theme="dark""#) && page.contains(r#"content="dark""#));
    assert!(page.contains(r#"value="Europe/Berlin""#) && page.contains(r#"value="dark" selected"#));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn settings_that_make_no_sense_are_refused_or_left_to_the_browser(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    for zone in ["Mars/Olympus", "../../etc/passwd", "<b>"] {
        let page = browser.post("/profile", &[("zone", zone)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{zone}");
        assert!(page.contains(r#"id="zone-error""#) && !page.contains("<b>"));
    }
    browser.post("/profile", &[("language", "tlh"), ("theme", "pink")]).await;
    assert_eq!(house.number("SELECT count(*) FROM people WHERE language IS NULL AND theme IS NULL").await, 1);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn with_a_connection_for_reading_nothing_that_writes_is_offered(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = browser.write("tea").await.location().split('?').next().expect("a path").to_owned();

    browser.post("/connect", &[("access", "read")]).await;
    assert_eq!(house.server.memo().mints[1]["scope"], "memories:read");
    for path in ["/memories", &path] {
        let page = browser.get(path).await;
        for offer in [r#"href="/memories/new""#, "/edit\"", "/delete\"", "/permission\""] {
            assert!(!page.contains(offer), "{offer} on {path}");
        }
        assert!(page.contains("may only read") && page.contains("Allow writing"), "one click asks for more");
    }
    house.let_access_tokens_expire().await;
    house.server.memo().refresh_tokens.clear();
    browser.get("/memories").await;
    assert_eq!(house.server.memo().mints[2]["scope"], "memories:read", "renewing does not take more than was allowed");

    browser.post("/connect", &[("access", "write")]).await;
    assert!(browser.get(&path).await.contains("/edit\""));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn somebody_who_is_not_signed_in_chooses_a_language_with_a_button(pool: PgPool) {
    let house = House::open(pool).await;
    let stranger = house.stranger();

    assert!(stranger.get("/login").await.contains(r#"action="/language""#));
    let foreign = stranger.post_raw("/language", &[("language", "de")], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "WEB-03");
    let address = format!("http://{}/login?next=%2Fgroups", house.web.address());
    let chosen = stranger.post_raw("/language", &[("language", "de")], &[("referer", &address)]).await;
    assert_eq!(chosen.location(), "/login?next=%2Fgroups");
    assert!(stranger.get("/login").await.contains(r#"<html lang="de">"#));
    stranger.post_raw("/language", &[("language", "tlh")], &[]).await;
    assert!(stranger.get_with("/", &[("accept-language", "en")]).await.contains(r#"<html lang="de">"#));

    let page = house.member("ada").await.get("/profile").await;
    assert!(!page.contains(r#"action="/language""#), "there it is a setting");
}
