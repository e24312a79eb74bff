//! Connecting only to read, allowing more and less, ending it, beginning again, and what can go wrong.

use super::{assert_quiet, examine, join, register, write};
use crate::browser::Browser;
use crate::house::{CELLO, House, PASSWORD};

#[tokio::test]
async fn what_one_can_do_follows_what_one_allowed_and_ends_with_the_connection() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    register(browser, "alice").await;
    browser.follow("form[action='/connect'] button[value=read]").await;

    only_read(browser).await;
    let memory = allow_writing(browser).await;
    allow_less(browser, &memory).await;
    disconnect(browser, &memory).await;
    connect_again(browser, &memory).await;
    assert_quiet(browser).await;
}

async fn only_read(browser: &Browser) {
    browser.arrive("/memories").await;
    browser.count(".ask-more", 1).await;
    assert!(!browser.has("a[href='/memories/new']").await, "nothing offers to write");
    examine(browser, "read-only").await;
    browser.open("/import").await;
    browser.count("#import", 0).await;
    examine(browser, "read-only-import").await;
    browser.open("/groups").await;
    browser.count("form[action='/groups']", 0).await;
    browser.open("/memories/new").await;
    browser.count("form[action='/memories/new']", 0).await;
    examine(browser, "read-only-refused").await;
    browser.open("/connections").await;
    examine(browser, "read-only-connection").await;
}

async fn allow_writing(browser: &Browser) -> String {
    browser.open("/memories").await;
    browser.send("form.ask-more").await;
    browser.count(".ask-more", 0).await;
    browser.count("nav a[href='/memories/new']", 1).await;
    write(browser, CELLO, "private").await
}

async fn allow_less(browser: &Browser, memory: &str) {
    browser.open("/connections").await;
    browser.follow("button[name=access][value=read]").await;
    browser.open(memory).await;
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
    browser.count(".ask-more", 1).await;
    assert!(!browser.has("form[action$='/delete'], a[href$='/edit'], a[href='/memories/new']").await);
    examine(browser, "read-only-memory").await;
}

async fn disconnect(browser: &Browser, memory: &str) {
    browser.open("/connections").await;
    browser.confirm("form[action='/connections/disconnect']").await;
    browser.count("form[action='/connections/disconnect']", 0).await;
    assert!(!browser.has("nav a[href='/search']").await, "without a connection there is nothing to search");
    for path in [memory, "/memories", "/search?q=cello"] {
        browser.open(path).await;
        assert!(!browser.text().await.contains("Clara"), "{path}");
    }
    browser.open("/memories").await;
    examine(browser, "disconnected").await;
}

async fn connect_again(browser: &Browser, memory: &str) {
    browser.open("/connect").await;
    browser.follow("form[action='/connect'] button[value=write]").await;
    browser.arrive("/memories").await;
    browser.open(memory).await;
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
    browser.count("form[action$='/delete']", 1).await;
}

/// An account of the server that somebody has made there is not given to whoever takes its name here.
#[tokio::test]
async fn a_name_that_belongs_to_somebody_at_the_server_cannot_be_connected_from_here() {
    let Some(house) = House::open().await else { return };
    let (browser, server) = (&house.browser, house.up.says("server_url"));
    register(browser, "wesley").await;
    browser.follow("form[action='/connect/authorize'] button[value=write]").await;
    browser.arrive(&format!("{server}/login")).await;
    browser.follow("a[href*='/signup']").await;
    browser.fill("username", "crusher").await;
    browser.fill("password", PASSWORD).await;
    browser.follow("main form button").await;
    browser.open("/").await;
    browser.put_aside().await;

    register(browser, "crusher").await;
    browser.follow("form[action='/connect'] button[value=write]").await;

    browser.arrive("/connect").await;
    browser.count("main .problem[role=alert]", 1).await;
    examine(browser, "connect-with-a-problem").await;
    browser.open("/memories").await;
    assert!(!browser.has("form.finder").await, "nothing is connected");
    browser.put_aside().await;
    join(browser, "geordi").await;
    assert_quiet(browser).await;
}
