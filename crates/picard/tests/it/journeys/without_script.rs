//! Everything that matters, in a browser that runs no script.

use std::fs;

use serde_json::json;

use super::{assert_quiet, be_listed, edit, join, write};
use crate::browser::Browser;
use crate::house::{BICYCLE, CELLO, House, QUESTION, TEA};

#[tokio::test]
async fn without_a_script_everything_works_that_works_with_it() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    browser.allow_scripts(false).await;
    join(browser, "bob").await;
    be_listed(browser, "Robert Tables").await;
    browser.put_aside().await;
    join(browser, "alice").await;

    let memory = write_after_a_preview(browser).await;
    edit(browser, &memory, CELLO).await;
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
    choose_a_file(&house).await;
    house.until_embedded().await;
    search(browser).await;
    share(browser, &memory).await;
    ask(browser).await;
    delete_and_take_back(browser, &memory).await;
    sign_out(browser).await;
    assert_quiet(browser).await;
}

/// axe-core is a script too.
async fn look(browser: &Browser, name: &str) {
    browser.allow_scripts(true).await;
    browser.look(name).await;
    browser.allow_scripts(false).await;
}

async fn write_after_a_preview(browser: &Browser) -> String {
    browser.open("/memories/new").await;
    assert!(!browser.is_shown("#preview").await);
    browser.fill("text", "A **bold** text").await;
    browser.follow("button[name=preview]").await;
    assert_eq!(browser.text_of("#preview strong").await, "bold");
    look(browser, "without-script-preview").await;
    browser.send("form[action='/memories/new']").await;
    assert_eq!(browser.text_of(".memory-text strong").await, "bold");
    // A script would take away what was just done.
    browser.address().await.trim_end_matches("?done=created").to_owned()
}

/// Without a script the page is looked at again with its button.
async fn choose_a_file(house: &House) {
    let browser = &house.browser;
    let file = house.folder().join("tea.ndjson");
    fs::write(&file, json!({ "text": TEA }).to_string()).expect("a file");
    browser.open("/import").await;
    look(browser, "without-script-import").await;
    browser.type_into("#file", &file.to_string_lossy()).await;
    browser.send("#import").await;
    while browser.has("#progress .actions:not([hidden])").await {
        browser.follow("#progress .button").await;
    }
    write(browser, BICYCLE, "public").await;
    browser.open("/memories").await;
    browser.count(".list > li", 3).await;
}

async fn search(browser: &Browser) {
    browser.open("/search").await;
    browser.fill("q", QUESTION).await;
    browser.send("#asking").await;
    assert_eq!(browser.text_of("#results .excerpt").await, CELLO);
    look(browser, "without-script-search").await;
}

async fn share(browser: &Browser, memory: &str) {
    browser.open(&format!("{memory}/sharing")).await;
    browser.click("label:has(input[value=shared])").await;
    browser.fill("person", "tables").await;
    browser.follow("button[name=find]").await;
    browser.click("#people label:has(input[name^='user:'])").await;
    browser.send("form[action$='/sharing'] .actions").await;
    browser.count(".badge-shared", 1).await;
}

async fn ask(browser: &Browser) {
    browser.open("/personas/new").await;
    browser.fill("name", "Alice's family").await;
    browser.send("form[action='/personas/new']").await;
    browser.fill("prompt", "Which instrument does Clara play?").await;
    browser.send("#ask").await;
    assert!(browser.text_of("#answer").await.contains("cello"));
    assert!(browser.text_of(".sources").await.contains(CELLO));
    look(browser, "without-script-answer").await;
    browser.open("/personas").await;
    browser.fill("find", "nobody has this").await;
    browser.send("form[action='/personas']").await;
    browser.count("#found .item", 0).await;
}

async fn delete_and_take_back(browser: &Browser, memory: &str) {
    browser.open(memory).await;
    browser.confirm("form[action$='/delete']").await;
    browser.send("form[action='/memories/undo']").await;
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
}

async fn sign_out(browser: &Browser) {
    browser.click(".menu > summary").await;
    browser.send("form[action='/logout']").await;
    browser.open("/memories").await;
    browser.arrive("/login").await;
}
