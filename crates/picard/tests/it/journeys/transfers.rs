//! Memories from files and texts, what is wrong with them, and taking everything out again.

use std::fs;

use serde_json::{Value, json};

use super::{assert_quiet, examine, import, join, start_import};
use crate::browser::Browser;
use crate::house::{BICYCLE, CELLO, House, TEA};

#[tokio::test]
async fn memories_come_in_from_files_and_texts_and_go_out_again() {
    let Some(house) = House::open().await else { return };
    let browser = &house.browser;
    join(browser, "margaret").await;

    paste(browser).await;
    choose_a_file(&house).await;
    drop_a_file(browser).await;
    nothing_or_all(browser).await;
    take_out(&house).await;
    assert_quiet(browser).await;
}

/// One row is wrong: the others are stored, and the page says which is not.
async fn paste(browser: &Browser) {
    browser.open("/import").await;
    browser.click("#import button[type=submit]").await;
    browser.count("#import .field-error", 1).await;
    examine(browser, "import-empty").await;
    let rows = [json!({ "text": CELLO, "tags": ["music"] }), json!({ "text": "", "tags": ["a\u{0}b"] }), json!({ "tags": 3 })];
    import(browser, &rows.map(|row| row.to_string()).join("\n")).await;
    browser.count("#progress .rows li", 2).await;
    assert_eq!(browser.text_of("#progress .numbers div:nth-child(1) dd").await, "3");
    assert_eq!(browser.text_of("#progress .numbers div:nth-child(2) dd").await, "2");
    examine(browser, "import-with-errors").await;
    browser.open("/memories").await;
    browser.count(".list > li", 1).await;
    browser.see(CELLO).await;
}

async fn choose_a_file(house: &House) {
    let browser = &house.browser;
    let file = house.folder().join("table.csv");
    fs::write(&file, format!("text,tags,category\n\"{TEA}\",\"[\"\"food\"\"]\",habits\n")).expect("a file");
    browser.open("/import").await;
    browser.type_into("#file", &file.to_string_lossy()).await;
    start_import(browser).await;
    examine(browser, "import-done").await;
    browser.open("/memories?tag=food").await;
    browser.see(TEA).await;
}

async fn drop_a_file(browser: &Browser) {
    browser.open("/import").await;
    browser.drop_file("#drop", "notes.ndjson", &json!({ "text": BICYCLE }).to_string()).await;
    start_import(browser).await;
    browser.open("/memories").await;
    browser.see(BICYCLE).await;
    // A file that cannot be read at all has one wrong row.
    browser.open("/import").await;
    browser.drop_file("#drop", "broken.json", "{ no JSON").await;
    start_import(browser).await;
    browser.count("#progress .rows li", 1).await;
    examine(browser, "import-broken").await;
}

/// With the strict box ticked a wrong row keeps the others out.
async fn nothing_or_all(browser: &Browser) {
    browser.open("/import").await;
    browser.set("text", &format!("{}\n{}", json!({ "text": "Only with the others." }), json!({ "text": "" }))).await;
    browser.click("label:has(input[name=strict])").await;
    start_import(browser).await;
    examine(browser, "import-nothing-stored").await;
    browser.open("/memories").await;
    browser.count(".list > li", 3).await;
}

async fn take_out(house: &House) {
    let browser = &house.browser;
    browser.open("/import").await;
    let lines = browser.download("a[href*='ndjson']", house.folder(), "memories.ndjson").await;
    let memories: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut texts: Vec<&str> = memories.iter().filter_map(|memory| memory["text"].as_str()).collect();
    texts.sort_unstable();
    assert_eq!(texts, [TEA, CELLO, BICYCLE], "in the order of the alphabet");
    let table = browser.download("a[href*='csv']", house.folder(), "memories.csv").await;
    assert!(table.lines().count() == 4 && table.contains(TEA), "{table}");
    let read = browser.download("a[href*='markdown']", house.folder(), "memories.md").await;
    assert!([CELLO, TEA, BICYCLE].iter().all(|text| read.contains(text)), "{read}");
    // The same file again stores nothing twice.
    browser.type_into("#file", &house.folder().join("memories.ndjson").to_string_lossy()).await;
    start_import(browser).await;
    browser.open("/memories").await;
    browser.count(".list > li", 3).await;
}
