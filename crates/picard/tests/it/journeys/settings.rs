//! Language, colours and time zone, the password, and the end of an account.

use super::{assert_quiet, examine, join, sign_in, write};
use crate::browser::Browser;
use crate::house::{CELLO, House, PASSWORD};

const NEW_PASSWORD: &str = "nine loud lighthouses";

#[tokio::test]
async fn a_person_chooses_language_colours_and_times_changes_the_password_and_leaves() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "grace").await;
    write(browser, CELLO, "private").await;

    choose_language_and_colours(browser).await;
    choose_times(browser).await;
    change_the_password(browser).await;
    leave(browser).await;
    come_back_to_nothing(browser).await;
    assert_quiet(browser).await;
}

async fn choose_language_and_colours(browser: &Browser) {
    browser.open("/profile").await;
    browser.choose("language", "de").await;
    browser.choose("theme", "dark").await;
    browser.send("form[action='/profile']").await;
    assert_eq!(browser.attribute("html", "lang").await, "de");
    assert_eq!(browser.attribute("html", "data-theme").await, "dark");
    for (path, name) in [
        ("/profile", "profile"),
        ("/memories", "memories"),
        ("/memories/new", "new"),
        ("/search?q=Musik", "search"),
        ("/import", "import"),
    ] {
        browser.open(path).await;
        examine(browser, &format!("{name}-german-dark")).await;
    }
    browser.open("/profile").await;
    browser.choose("theme", "light").await;
    browser.choose("language", "en").await;
    browser.send("form[action='/profile']").await;
    assert_eq!(browser.attribute("html", "data-theme").await, "light");
}

async fn choose_times(browser: &Browser) {
    browser.open("/profile").await;
    browser.fill("zone", "Mars/Olympus").await;
    browser.send("form[action='/profile']").await;
    browser.count("#zone[aria-invalid]", 1).await;
    examine(browser, "profile-wrong-zone").await;
    browser.fill("zone", "Asia/Tokyo").await;
    browser.send("form[action='/profile']").await;
    assert!(browser.text_of("footer").await.contains("Asia/Tokyo"));
}

async fn change_the_password(browser: &Browser) {
    browser.open("/profile").await;
    browser.fill("current_password", "guessed in vain").await;
    browser.fill("new_password", NEW_PASSWORD).await;
    browser.send("form[action='/profile/password']").await;
    browser.count("#current_password[aria-invalid]", 1).await;
    browser.fill("current_password", PASSWORD).await;
    browser.fill("new_password", NEW_PASSWORD).await;
    browser.send("form[action='/profile/password']").await;
    browser.count("main .notice", 1).await;
    browser.put_aside().await;
    sign_in(browser, "grace", PASSWORD).await;
    browser.count("form[action='/login']", 1).await;
    sign_in(browser, "grace", NEW_PASSWORD).await;
    browser.arrive("/memories").await;
}

async fn leave(browser: &Browser) {
    browser.open("/profile").await;
    browser.ask("form[action='/profile/delete']").await;
    browser.click("label:has(input[name=everywhere])").await;
    browser.fill("delete_password", PASSWORD).await;
    browser.send("form[action='/profile/delete']").await;
    browser.count("#delete_password[aria-invalid]", 1).await;
    examine(browser, "profile-delete-refused").await;
    browser.click("label:has(input[name=everywhere])").await;
    browser.fill("delete_password", NEW_PASSWORD).await;
    browser.send("form[action='/profile/delete']").await;
    browser.count("form[action='/logout']", 0).await;
    assert!(!browser.address().await.contains("/profile"));
    sign_in(browser, "grace", NEW_PASSWORD).await;
    browser.count("form[action='/login']", 1).await;
}

/// The account at the server went too, with what was in it.
async fn come_back_to_nothing(browser: &Browser) {
    join(browser, "grace").await;
    browser.open("/memories?expiry=all").await;
    browser.count(".list > li", 0).await;
    browser.open("/search?q=cello").await;
    assert!(!browser.text().await.contains("Clara"));
}

#[tokio::test]
async fn a_stranger_chooses_the_language_of_the_pages() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    browser.open("/login").await;
    browser.follow("form[action='/language'] button[value=de]").await;
    assert_eq!(browser.attribute("html", "lang").await, "de");
    for (path, name) in [("/", "home"), ("/login", "login"), ("/register", "register"), ("/nowhere", "not-found")] {
        browser.open(path).await;
        examine(browser, &format!("{name}-german")).await;
    }
    browser.follow("form[action='/language'] button[value=en]").await;
    assert_eq!(browser.attribute("html", "lang").await, "en");
    assert_quiet(browser).await;
}
