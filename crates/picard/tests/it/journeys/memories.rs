//! Writing with all fields, changing, restoring, conflicts, deleting and taking it back, filters, order and pages.

use serde_json::json;

use super::{assert_quiet, edit, examine, import, join, write};
use crate::browser::Browser;
use crate::house::{CELLO, House, TEA};

const VIOLA: &str = "My sister Clara has changed to the viola.";
const DRUMS: &str = "My sister Clara plays the drums now.";

#[tokio::test]
async fn a_memory_is_written_changed_restored_deleted_and_taken_back() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "ada").await;

    let memory = write_with_everything(browser).await;
    take_over_tags(browser).await;
    restore(browser, &memory).await;
    meet_in_the_middle(browser, &memory).await;
    delete_and_take_back(browser, &memory).await;
    assert_quiet(browser).await;
}

async fn write_with_everything(browser: &Browser) -> String {
    browser.open("/memories/new").await;
    browser.fill("text", CELLO).await;
    browser.fill("tags", "music, family").await;
    browser.fill("category", "people").await;
    browser.set("expires", "2099-01-31T18:00").await;
    browser.send("form[action='/memories/new']").await;
    assert_eq!(browser.text_of(".facts .category").await, "people");
    browser.count(".facts a.tag", 2).await;
    browser.count("time[datetime^='2099-01-31']", 1).await;
    examine(browser, "memory-with-everything").await;
    browser.address().await
}

/// What was used before is offered for the next memory.
async fn take_over_tags(browser: &Browser) {
    browser.open("/memories/new").await;
    browser.click("#tags").await;
    browser.count("#tag-choices button", 2).await;
    browser.count("#known-categories option[value=people]", 1).await;
    examine(browser, "new-with-suggestions").await;
    browser.click("#tag-choices button").await;
    browser.click("#tag-choices button:last-child").await;
    browser.click("#tag-choices button").await;
    let tags = browser.value_of("tags").await;
    let mut tags: Vec<&str> = tags.split(", ").collect();
    tags.sort_unstable();
    assert_eq!(tags, ["family", "music"], "each once");
    assert_eq!(browser.focus().await, "tags");
}

async fn restore(browser: &Browser, memory: &str) {
    edit(browser, memory, VIOLA).await;
    edit(browser, memory, DRUMS).await;
    browser.open(&format!("{memory}/history")).await;
    browser.count(".version", 3).await;
    let difference = browser.text_of(".version .difference").await;
    assert!(difference.contains("drums") && difference.contains("viola"), "{difference}");
    assert!(browser.has(".version ins").await && browser.has(".version del").await);
    examine(browser, "history-with-differences").await;
    browser.send("form[action$='/restore']:has(input[value='1'])").await;
    assert_eq!(browser.text_of(".memory-text").await, CELLO);
    assert_eq!(browser.address().await, memory);
    browser.count(".facts a.tag", 2).await;
}

/// Somebody changes a memory while it is being changed in another tab: nobody's words are lost.
async fn meet_in_the_middle(browser: &Browser, memory: &str) {
    browser.open(&format!("{memory}/edit")).await;
    browser.fill("text", VIOLA).await;
    browser.in_another_tab(async || edit(browser, memory, DRUMS).await).await;
    browser.send("form[action$='/edit']").await;
    assert!(browser.text_of(".conflict").await.contains(DRUMS), "what is stored");
    assert_eq!(browser.value_of("text").await, VIOLA, "what was typed");
    examine(browser, "edit-conflict").await;
    browser.send("form[action$='/edit']").await;
    assert_eq!(browser.text_of(".memory-text").await, VIOLA);
}

async fn delete_and_take_back(browser: &Browser, memory: &str) {
    browser.open(memory).await;
    browser.confirm("form[action$='/delete']").await;
    assert_eq!(browser.text_of(".excerpt").await, VIOLA);
    examine(browser, "memory-deleted").await;
    browser.send("form[action='/memories/undo']").await;
    assert_eq!(browser.text_of(".memory-text").await, VIOLA);
    assert_ne!(browser.address().await, memory, "it is a new one");
    browser.count(".facts a.tag", 2).await;
    browser.open(memory).await;
    browser.count(".memory-text", 0).await;
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_has_pages() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "grace").await;
    write(browser, TEA, "public").await;
    let lines: String = (1..=24)
        .map(|number| {
            format!("{}\n", json!({ "text": format!("Note {number}"), "tags": ["note"], "category": format!("c{}", number % 2) }))
        })
        .collect();
    import(browser, &lines).await;

    browser.open("/memories").await;
    browser.count(".list > li", 20).await;
    browser.follow("a[rel=next]").await;
    browser.count(".list > li", 5).await;
    assert!(browser.text().await.contains(TEA), "the oldest comes last");
    examine(browser, "memories-last-page").await;
    browser.go_back().await;
    browser.choose("sort", "oldest").await;
    browser.send("form.filters").await;
    assert_eq!(browser.text_of(".list .excerpt").await, TEA);
    browser.follow("a[rel=next]").await;
    assert!(browser.address().await.contains("sort=oldest"), "the order stays");
    browser.count(".list > li", 5).await;

    browser.open("/memories").await;
    browser.choose("permission", "public").await;
    browser.send("form.filters").await;
    browser.count(".list > li", 1).await;
    browser.choose("permission", "").await;
    browser.fill("category", "c1").await;
    browser.send("form.filters").await;
    browser.count(".list > li", 12).await;
    browser.fill("tag", "nothing").await;
    browser.send("form.filters").await;
    browser.count(".list > li", 0).await;
    assert_quiet(browser).await;
}
