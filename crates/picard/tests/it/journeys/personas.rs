//! Personas that others find and ask: published, changed, hidden, asked, and closed to somebody.

use super::{assert_quiet, be_listed, examine, join, write};
use crate::browser::Browser;
use crate::house::{CELLO, House, TEA};

const PROMPT: &str = "Which instrument does Clara play?";

#[tokio::test]
async fn a_persona_is_published_found_asked_closed_to_somebody_and_deleted() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "bob").await;
    be_listed(browser, "Robert Tables").await;
    let bob = browser.put_aside().await;
    join(browser, "alice").await;
    write(browser, CELLO, "public").await;
    write(browser, TEA, "private").await;
    house.until_embedded().await;

    let persona = make_and_publish(browser).await;
    let alice = browser.pass_to(&bob).await;
    let found = find(browser, &persona).await;
    ask(browser).await;
    let bob = browser.pass_to(&alice).await;
    close_to_somebody(browser).await;
    let alice = browser.pass_to(&bob).await;
    be_refused(browser, &found).await;
    let bob = browser.pass_to(&alice).await;
    open_again_and_hide(browser, &persona).await;
    let alice = browser.pass_to(&bob).await;
    find_nothing(browser, &found).await;
    browser.pass_to(&alice).await;
    delete(browser, &persona).await;
    assert_quiet(browser).await;
}

async fn make_and_publish(browser: &Browser) -> String {
    browser.open("/personas/new").await;
    browser.fill("name", "Alice's family").await;
    browser.send("form[action='/personas/new']").await;
    let persona = browser.address().await;
    browser.follow("a[href$='/edit']").await;
    browser.fill("description", "Ask me about *music*.").await;
    browser.fill("top_n", "3").await;
    examine(browser, "persona-edit").await;
    browser.send("form[action$='/edit']").await;
    assert_eq!(browser.text_of(".memory-text em").await, "music");
    browser.ask("form[action$='/change'] [value=public]").await;
    browser.look("persona-publish").await;
    browser.agree("form[action$='/change'] [value=public]").await;
    browser.count(".badge-public", 1).await;
    persona
}

/// Finds it while typing, and answers where it is for others.
async fn find(browser: &Browser, persona: &str) -> String {
    browser.open("/personas").await;
    browser.type_into("#find", "nobody has this").await;
    browser.count("#found .hint", 1).await;
    browser.fill("find", "family").await;
    browser.count("#found .item", 1).await;
    examine(browser, "personas-found").await;
    browser.follow(&format!("#found a[href^='{persona}']")).await;
    assert!(!browser.has("a[href$='/edit'], form[action$='/change']").await, "it is not for others to change");
    examine(browser, "persona-of-others").await;
    browser.address().await
}

async fn ask(browser: &Browser) {
    browser.fill("prompt", PROMPT).await;
    browser.click("#ask button").await;
    browser.count(".sources li", 1).await;
    assert!(browser.text_of(".sources").await.contains(CELLO));
    assert!(!browser.text_of("#answer").await.contains("green tea"), "what is private answers nobody else");
    examine(browser, "persona-of-others-answer").await;
}

async fn close_to_somebody(browser: &Browser) {
    browser.open("/personas/questions").await;
    browser.see(PROMPT).await;
    browser.see("bob").await;
    examine(browser, "persona-questions-of-others").await;
    browser.send("form:has(input[value=blocked])").await;
    browser.count("form:has(input[value=answered])", 1).await;
    examine(browser, "persona-questions-blocked").await;
}

async fn be_refused(browser: &Browser, found: &str) {
    browser.open(found).await;
    if browser.has("#ask").await {
        browser.fill("prompt", PROMPT).await;
        browser.click("#ask button").await;
        browser.count("#answer .problem", 1).await;
    }
    assert!(!browser.text().await.contains("cello"));
    browser.look("persona-refused").await;
}

async fn open_again_and_hide(browser: &Browser, persona: &str) {
    browser.open("/personas/questions").await;
    browser.send("form:has(input[value=answered])").await;
    browser.count("form:has(input[value=answered])", 0).await;
    browser.open(persona).await;
    browser.send("form[action$='/change']:has([value=hidden])").await;
    browser.count(".badge-public", 0).await;
}

async fn find_nothing(browser: &Browser, found: &str) {
    browser.open("/personas?q=family").await;
    browser.count("#found .item", 0).await;
    browser.open(found).await;
    browser.count("#ask", 0).await;
}

async fn delete(browser: &Browser, persona: &str) {
    browser.open(persona).await;
    browser.confirm("form[action$='/change'] [value=deleted]").await;
    browser.arrive("/personas").await;
    browser.count(&format!("a[href^='{persona}']"), 0).await;
}
