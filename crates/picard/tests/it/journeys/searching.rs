//! Searching while one types, ways to compare, filters, and more of the same.

use serde_json::json;

use super::{assert_quiet, examine, import, join};
use crate::browser::Browser;
use crate::house::{BICYCLE, CELLO, House, QUESTION, TEA};

#[tokio::test]
async fn a_search_follows_what_one_types_and_chooses() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "hedy").await;
    let one =
        |text: &str, tag: &str, category: &str| format!("{}\n", json!({ "text": text, "tags": [tag], "category": category }));
    let mut lines = [one(CELLO, "music", "people"), one(TEA, "food", "habits"), one(BICYCLE, "things", "home")].concat();
    lines.extend((1..=24).map(|number| one(&format!("The lantern number {number}"), "lantern", "things")));
    import(browser, &lines).await;
    house.until_embedded().await;

    while_typing(browser).await;
    ways_to_compare(browser).await;
    filters(browser).await;
    more(browser).await;
    assert_quiet(browser).await;
}

async fn while_typing(browser: &Browser) {
    browser.open("/search").await;
    browser.type_into("#q", QUESTION).await;
    browser.see(CELLO).await;
    assert_eq!(browser.text_of("#results .excerpt").await, CELLO);
    assert!(browser.address().await.starts_with("/search?q=Which+musical"), "the address can be kept");
    assert_eq!(browser.focus().await, "q", "one can go on typing");
    browser.look("search-typed").await;
}

async fn ways_to_compare(browser: &Browser) {
    // By words alone nothing has all of these.
    browser.choose("mode", "keyword").await;
    browser.count("#results .item", 0).await;
    browser.count("#results .empty", 1).await;
    examine(browser, "search-nothing").await;
    browser.open("/search").await;
    browser.choose("mode", "keyword").await;
    browser.type_into("#q", "tyre").await;
    browser.count("#results .item", 1).await;
    assert_eq!(browser.text_of("#results .excerpt").await, BICYCLE);
    browser.choose("mode", "semantic").await;
    browser.count("#results .item", 20).await;
}

async fn filters(browser: &Browser) {
    browser.open("/search").await;
    browser.click(".more-filters > summary").await;
    browser.type_into("#q", "my sister").await;
    browser.fill("tag", "food").await;
    browser.count("#results .item", 1).await;
    assert_eq!(browser.text_of("#results .excerpt").await, TEA);
    examine(browser, "search-filtered").await;
    // Whoever keeps the address finds the filters again.
    let address = browser.address().await;
    browser.open(&address).await;
    assert_eq!(browser.value_of("tag").await, "food");
    browser.count(".more-filters[open]", 1).await;
    browser.fill("tag", "").await;
    browser.fill("category", "people").await;
    browser.see(CELLO).await;
    browser.count("#results .item", 1).await;
    assert_eq!(browser.text_of("#results .excerpt").await, CELLO);
    browser.set("until", "2001-01-01").await;
    browser.count("#results .item", 0).await;
}

async fn more(browser: &Browser) {
    browser.open("/search?q=lantern&mode=keyword").await;
    browser.count("#results .item", 20).await;
    browser.look("search-more").await;
    browser.follow("#results a[rel=next]").await;
    browser.count("#results .item", 24).await;
    browser.count("#results a[rel=next]", 0).await;
}
