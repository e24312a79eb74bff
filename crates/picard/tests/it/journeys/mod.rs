//! What people do in the web application, a file for each subject: every journey has a house of its own, and looks at
//! each page that it comes to. Pages are found by their forms and fields, not by their words.

mod administration;
mod connections;
mod hostile;
mod memories;
mod personas;
mod searching;
mod settings;
mod sharing;
mod transfers;
mod without_script;

use crate::browser::Browser;
use crate::house::PASSWORD;

/// Registers somebody, who is not connected yet.
async fn register(browser: &Browser, username: &str) {
    browser.open("/register").await;
    browser.fill("username", username).await;
    browser.fill("password", PASSWORD).await;
    browser.send("form[action='/register']").await;
    browser.arrive("/connect").await;
}

/// Registers somebody and lets the application read and write.
async fn join(browser: &Browser, username: &str) {
    register(browser, username).await;
    browser.follow("form[action='/connect'] button[value=write]").await;
    browser.arrive("/memories").await;
}

async fn sign_in(browser: &Browser, username: &str, password: &str) {
    browser.open("/login").await;
    browser.fill("username", username).await;
    browser.fill("password", password).await;
    browser.send("form[action='/login']").await;
}

/// Lets others find the person by this name.
async fn be_listed(browser: &Browser, name: &str) {
    browser.open("/profile").await;
    browser.fill("display_name", name).await;
    browser.click("label:has(input[name=is_listed])").await;
    browser.send("form[action='/profile/public']").await;
}

/// Writes a memory that these may see, and answers where it is.
async fn write(browser: &Browser, text: &str, permission: &str) -> String {
    browser.open("/memories/new").await;
    browser.fill("text", text).await;
    browser.click(&format!("label:has(input[name=permission][value={permission}])")).await;
    browser.send("form[action='/memories/new']").await;
    let address = browser.address().await;
    let path = address.split('?').next().expect("a path");
    path.trim_end_matches("/sharing").to_owned()
}

/// Changes the text of a memory.
async fn edit(browser: &Browser, memory: &str, text: &str) {
    browser.open(&format!("{memory}/edit")).await;
    browser.fill("text", text).await;
    browser.send("form[action$='/edit']").await;
}

/// Stores lines of JSON through the page, and waits until they are there.
pub(crate) async fn import(browser: &Browser, lines: &str) {
    browser.open("/import").await;
    browser.set("text", lines).await;
    start_import(browser).await;
}

/// Sends what is in the form of the import, and waits until everything is stored or refused.
async fn start_import(browser: &Browser) {
    browser.click("#import button[type=submit]").await;
    browser.arrive("/import/").await;
    browser.count("#progress .actions:not([hidden])", 0).await;
}

/// Looks at a page on all screens and goes through it with the keyboard.
async fn examine(browser: &Browser, name: &str) {
    browser.look(name).await;
    browser.assert_keyboard_reaches_all(name).await;
}

/// Asserts that the console has said nothing except that what somebody asked for is refused.
async fn assert_quiet(browser: &Browser) {
    let complaints = browser.complaints().await;
    let strange = complaints.iter().find(|line| !line.contains("the server responded with a status of 4"));
    assert_eq!(strange, None);
}
