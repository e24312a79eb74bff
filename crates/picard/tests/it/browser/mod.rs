//! A person's browser: a real Chromium without a window, driven over the WebDriver protocol.
//!
//! Written over reqwest, because the published clients change what is tested: thirtyfour switches on
//! `serde_json/preserve_order`, and with it the programs under test would write other JSON than those that people run.

mod access;
mod chromium;
mod looks;

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use self::chromium::Processes;
use self::looks::DESK;
use crate::kit::http;

pub(crate) use self::chromium::Programs;

/// For how long a page may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);
/// How WebDriver calls an element (W3C WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// WebDriver's private characters for keys without one (section 17.4.2).
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";

/// A browser at the web application.
pub(crate) struct Browser {
    http: Client,
    session: String,
    web_url: String,
    /// The source of axe-core.
    axe: Option<String>,
    _processes: Processes,
}

impl Browser {
    /// Starts one.
    pub(crate) async fn start(programs: &Programs, web_url: &str) -> Self {
        let http = http();
        let processes = Processes::start(&programs.chromedriver);
        let session = processes.open_session(&http, &programs.chromium).await;
        let axe = access::axe_core();
        let browser = Self { http, session, web_url: web_url.to_owned(), axe, _processes: processes };
        browser.resize(DESK).await;
        browser
    }

    /// Opens a page of the web application.
    pub(crate) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.web_url);
        self.post("url", json!({ "url": url })).await;
    }

    /// The browser's own way back.
    pub(crate) async fn go_back(&self) {
        self.post("back", json!({})).await;
    }

    /// Path and query of the page that is shown.
    pub(crate) async fn address(&self) -> String {
        let url = self.get("url").await;
        let url = url.as_str().expect("an address");
        url.strip_prefix(&self.web_url).unwrap_or(url).to_owned()
    }

    /// Waits until a page is shown whose address begins so.
    pub(crate) async fn arrive(&self, path: &str) {
        let begin = Instant::now();
        loop {
            let address = self.address().await;
            if address.starts_with(path) {
                return;
            }
            let seen = format!("at {address} instead of {path}");
            assert!(begin.elapsed() < PATIENCE, "{seen}: {}", self.text().await);
            pause().await;
        }
    }

    /// Waits until the page shows the words.
    pub(crate) async fn see(&self, words: &str) {
        let begin = Instant::now();
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "no “{words}” in: {text}");
            pause().await;
        }
    }

    pub(crate) async fn title(&self) -> String {
        self.get("title").await.as_str().expect("a title").to_owned()
    }

    /// Puts a script into the page, as if somebody's text had not been cleaned.
    pub(crate) async fn slip_in_a_script(&self, script: &str) {
        let body = "const element = document.createElement('script');
                    element.textContent = arguments[0];
                    document.body.append(element);";
        self.post("execute/sync", json!({ "script": body, "args": [script] })).await;
    }

    /// All words that can be seen.
    pub(crate) async fn text(&self) -> String {
        self.text_of("body").await
    }

    /// The words of the first element that fits.
    pub(crate) async fn text_of(&self, css: &str) -> String {
        let text = self.of(&by_css(css), Method::GET, "text", None).await;
        text.as_str().expect("a text").to_owned()
    }

    /// Replaces what is in a field.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let field = by_css(&format!("#{id}"));
        self.of(&field, Method::POST, "clear", Some(json!({}))).await;
        let keys = json!({ "text": text });
        self.of(&field, Method::POST, "value", Some(keys)).await;
    }

    /// Clicks what fits a CSS selector.
    pub(crate) async fn click(&self, css: &str) {
        self.of(&by_css(css), Method::POST, "click", Some(json!({}))).await;
    }

    /// Clicks the first link, button or summary with exactly these words.
    pub(crate) async fn press(&self, words: &str) {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()='{words}']");
        let wanted = json!({ "using": "xpath", "value": path });
        self.of(&wanted, Method::POST, "click", Some(json!({}))).await;
    }

    /// Types on the keyboard, to whatever has the focus.
    pub(crate) async fn keys(&self, keys: &str) {
        let strokes: Vec<Value> =
            keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }))).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("actions", json!({ "actions": [keyboard] })).await;
    }

    /// The id of the element that has the focus.
    pub(crate) async fn focus(&self) -> String {
        let element = self.get("element/active").await;
        let element = element[ELEMENT].as_str().expect("an element");
        let id = self.get(&format!("element/{element}/attribute/id")).await;
        id.as_str().unwrap_or_default().to_owned()
    }

    /// What the console has said since the last time: errors, refusals by the content security policy, the rest.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// Waits until the console says something with these words.
    pub(crate) async fn hear(&self, words: &str) {
        let begin = Instant::now();
        while !self.complaints().await.iter().any(|line| line.contains(words)) {
            assert!(begin.elapsed() < PATIENCE, "the console does not say “{words}”");
            pause().await;
        }
    }

    /// Does something with the first element that fits, as soon as there is one: it may not be there yet, or leave
    /// with its page between two commands.
    async fn of(&self, wanted: &Value, method: Method, command: &str, body: Option<Value>) -> Value {
        let begin = Instant::now();
        loop {
            let found = self.post("elements", wanted.clone()).await;
            let problem = match found[0][ELEMENT].as_str() {
                None => "not found".to_owned(),
                Some(element) => {
                    let command = format!("element/{element}/{command}");
                    match self.send(method.clone(), &command, body.as_ref()).await {
                        Ok(value) => return value,
                        Err(problem) => problem,
                    }
                }
            };
            let page = self.address().await;
            let late = begin.elapsed() >= PATIENCE;
            assert!(!late, "{command} of {wanted} at {page}: {problem}");
            pause().await;
        }
    }

    async fn get(&self, command: &str) -> Value {
        let answer = self.send(Method::GET, command, None).await;
        answer.expect("chromedriver obeys")
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        let answer = self.send(Method::POST, command, Some(&body)).await;
        answer.expect("chromedriver obeys")
    }

    async fn send(&self, method: Method, command: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request = self.http.request(method, format!("{}/{command}", self.session));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("chromedriver answers");
        let is_done = answer.status().is_success();
        let mut answer: Value = answer.json().await.expect("JSON");
        if is_done { Ok(answer["value"].take()) } else { Err(format!("{command}: {}", answer["value"]["message"])) }
    }
}

fn by_css(selector: &str) -> Value {
    json!({ "using": "css selector", "value": selector })
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
