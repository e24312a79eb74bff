//! What one person wrote to harm another: texts, tags, names, groups and what a persona says (WEB-01, WEB-02).

use super::{be_listed, join};
use crate::browser::Browser;
use crate::house::House;
use crate::pages::{CORPUS, IN_ATTRIBUTES};

/// Names are short, so each has one attack.
const NAME: &str = "<img src=x onerror=alert(1)>";
const GROUP: &str = "</title><script>alert(1)</script>";

#[tokio::test]
async fn what_a_stranger_wrote_does_nothing_to_others_web_02() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "victim").await;
    be_listed(browser, "Victoria").await;
    let victim = browser.put_aside().await;
    join(browser, "mallory").await;
    be_listed(browser, NAME).await;
    let memory = write_for_everybody(browser).await;
    let persona = make_a_persona(browser).await;
    let group = make_a_group(browser).await;
    house.until_embedded().await;
    let mallory = browser.pass_to(&victim).await;

    read(browser, &memory).await;
    ask(browser, &persona).await;
    browser.open(&group).await;
    browser.assert_harmless("a group").await;
    browser.open("/groups").await;
    browser.assert_harmless("the list of groups").await;
    share(browser).await;
    browser.pass_to(&mallory).await;
    for path in ["/activity", "/personas/questions", &group] {
        browser.open(path).await;
        browser.assert_harmless(path).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "WEB-02: nothing was there that the policy had to refuse");
}

async fn write_for_everybody(browser: &Browser) -> String {
    browser.open("/memories/new").await;
    browser.fill("text", &format!("Lanterns. {}", CORPUS.join("\n\n"))).await;
    browser.fill("tags", IN_ATTRIBUTES).await;
    browser.fill("category", IN_ATTRIBUTES).await;
    browser.click("label:has(input[name=permission][value=public])").await;
    browser.send("form[action='/memories/new']").await;
    browser.address().await
}

async fn make_a_persona(browser: &Browser) -> String {
    browser.open("/personas/new").await;
    browser.fill("name", NAME).await;
    browser.fill("description", &CORPUS[..12].join("\n\n")).await;
    browser.click("label:has(input[name=is_public])").await;
    browser.send("form[action='/personas/new']").await;
    browser.arrive("/personas/").await;
    browser.address().await
}

async fn make_a_group(browser: &Browser) -> String {
    browser.open("/groups").await;
    browser.fill("name", GROUP).await;
    browser.send("form[action='/groups']").await;
    browser.type_into("#person", "Victoria").await;
    browser.send("form:has(input[name=add])").await;
    browser.address().await
}

async fn read(browser: &Browser, memory: &str) {
    browser.open("/search?q=lanterns&scope=public").await;
    browser.count("#results .item", 1).await;
    browser.assert_harmless("a search among what is public").await;
    browser.open(memory).await;
    browser.see("overlay").await;
    browser.assert_harmless("a memory of somebody else").await;
    browser.look("hostile-memory").await;
    browser.follow("a[href*='owner=']").await;
    browser.assert_harmless("the list of somebody else's memories").await;
}

async fn ask(browser: &Browser, persona: &str) {
    browser.open("/personas").await;
    browser.type_into("#find", "onerror").await;
    browser.count("#found .item", 1).await;
    browser.assert_harmless("personas that were found").await;
    browser.follow(&format!("#found a[href^='{persona}']")).await;
    browser.assert_harmless("a persona of somebody else").await;
    browser.fill("prompt", "What do you know about lanterns?").await;
    browser.click("#ask button").await;
    browser.count(".sources li", 1).await;
    browser.assert_harmless("an answer of somebody else's persona").await;
    browser.look("hostile-answer").await;
}

/// Names of other people stand where one chooses whom to share with.
async fn share(browser: &Browser) {
    let memory = super::write(browser, "Nothing special.", "private").await;
    browser.open(&format!("{memory}/sharing")).await;
    browser.type_into("#person", "onerror").await;
    browser.see(NAME).await;
    browser.assert_harmless("people who were found").await;
    browser.click("label:has(input[value=shared])").await;
    browser.click("#people label:has(input[name^='user:'])").await;
    browser.send("form[action$='/sharing'] .actions").await;
    browser.open(&format!("{memory}/sharing")).await;
    browser.assert_harmless("sharing with somebody").await;
}
