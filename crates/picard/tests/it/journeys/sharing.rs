//! Sharing with people and with groups, what the others see of it, and who read what.

use super::{assert_quiet, be_listed, examine, join, write};
use crate::browser::{Browser, Person};
use crate::house::{CELLO, House, TEA};

#[tokio::test]
async fn a_memory_is_shared_with_a_person_then_with_a_group_and_with_nobody_again() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "bob").await;
    be_listed(browser, "Robert Tables").await;
    let bob = browser.put_aside().await;
    join(browser, "alice").await;
    let memory = write(browser, CELLO, "private").await;

    share_with_a_person(browser, &memory).await;
    let alice = browser.pass_to(&bob).await;
    read_what_others_wrote(browser, &memory).await;
    let bob = browser.pass_to(&alice).await;
    see_who_read(browser).await;
    let group = make_a_group(browser).await;
    let other = share_with_the_group(browser).await;
    let alice = browser.pass_to(&bob).await;
    leave_the_group(browser, (&group, &other)).await;
    let bob = browser.pass_to(&alice).await;
    stop_sharing(browser, &memory, &bob).await;
    end_the_group(browser, &group).await;
    assert_quiet(browser).await;
}

async fn share_with_a_person(browser: &Browser, memory: &str) {
    browser.open(&format!("{memory}/sharing")).await;
    browser.click("label:has(input[value=shared])").await;
    browser.type_into("#person", "Nobody of that name").await;
    browser.count("#people input", 0).await;
    browser.fill("person", "rob").await;
    browser.click("#people label:has(input[name^='user:'])").await;
    assert!(browser.text_of("#people").await.contains("Robert Tables"));
    examine(browser, "sharing-found").await;
    browser.send("form[action$='/sharing'] .actions").await;
    browser.count(".badge-shared", 1).await;
    browser.open(&format!("{memory}/sharing")).await;
    browser.count("#people input:checked", 1).await;
    examine(browser, "sharing-shared").await;
}

async fn read_what_others_wrote(browser: &Browser, memory: &str) {
    browser.open("/search?q=cello&scope=shared&mode=keyword").await;
    browser.count("#results .item", 1).await;
    browser.follow("#results .excerpt a").await;
    assert_eq!(browser.address().await, memory);
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
    assert!(!browser.has("a[href$='/edit'], form[action$='/delete']").await, "it is not for others to change");
    examine(browser, "memory-of-others").await;
    browser.follow("a[href*='owner=']").await;
    browser.count(".list > li", 1).await;
    examine(browser, "memories-of-others").await;
}

async fn see_who_read(browser: &Browser) {
    browser.open("/activity?event=memories_read").await;
    browser.see("Robert Tables").await;
    examine(browser, "activity-read").await;
    browser.open("/activity").await;
    examine(browser, "activity-everything").await;
    browser.open("/analytics").await;
    browser.count(".numbers", 2).await;
    examine(browser, "analytics-with-content").await;
}

async fn make_a_group(browser: &Browser) -> String {
    browser.open("/groups").await;
    browser.fill("name", "Choir").await;
    browser.send("form[action='/groups']").await;
    browser.arrive("/groups/").await;
    let group = browser.address().await;
    browser.type_into("#person", "tables").await;
    browser.count("#found input[name=add]", 1).await;
    examine(browser, "group-found").await;
    browser.send("form:has(input[name=add])").await;
    browser.count("form:has(input[name=remove])", 1).await;
    browser.fill("name", "Small choir").await;
    browser.send("form:has(#name)").await;
    assert_eq!(browser.text_of("h1").await, "Small choir");
    examine(browser, "group").await;
    browser.open("/groups").await;
    browser.count(".list > li", 1).await;
    examine(browser, "groups-with-content").await;
    group
}

async fn share_with_the_group(browser: &Browser) -> String {
    let memory = write(browser, TEA, "shared").await;
    browser.open(&format!("{memory}/sharing")).await;
    browser.click("label:has(input[name^='group:'])").await;
    browser.look("sharing-groups").await;
    browser.send("form[action$='/sharing'] .actions").await;
    browser.count(".badge-shared", 1).await;
    memory
}

/// Reads what is shared with the group, leaves it, and cannot read that any more.
async fn leave_the_group(browser: &Browser, (group, memory): (&str, &str)) {
    browser.open(memory).await;
    assert_eq!(browser.text_of(".memory-text").await, TEA);
    browser.open(group).await;
    assert!(!browser.has("input[name=delete], #name, #person").await, "it is not a member's to change");
    examine(browser, "group-of-others").await;
    browser.send("form:has(input[name=remove])").await;
    browser.arrive("/groups").await;
    browser.count(".list > li", 0).await;
    browser.open(memory).await;
    browser.count(".memory-text", 0).await;
    browser.open(group).await;
    assert!(!browser.text().await.contains("Small choir"));
}

async fn stop_sharing(browser: &Browser, memory: &str, bob: &Person) {
    browser.open(memory).await;
    browser.confirm("form[action$='/permission']").await;
    browser.count(".badge-private", 1).await;
    let alice = browser.pass_to(bob).await;
    browser.open(memory).await;
    assert!(!browser.text().await.contains("Clara"), "what is private does not exist for others");
    browser.pass_to(&alice).await;
}

async fn end_the_group(browser: &Browser, group: &str) {
    browser.open(group).await;
    browser.ask("input[name=delete]").await;
    browser.look("group-delete").await;
    browser.agree("input[name=delete]").await;
    browser.count(".list > li", 0).await;
}
