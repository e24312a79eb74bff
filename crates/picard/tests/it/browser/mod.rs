//! A person's browser: a real Chromium without a window, driven by fantoccini over the WebDriver protocol.

mod access;
mod chromium;
mod forms;
mod looks;

use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use serde_json::Value;

use self::chromium::{ChromiumCommand, Processes};
use self::looks::DESK;

pub(crate) use self::chromium::Programs;
pub(crate) use self::forms::Person;

/// For how long a page may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);
/// WebDriver's private characters for keys without one (W3C WebDriver, section 17.4.2).
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";

/// A browser at the web application.
pub(crate) struct Browser {
    client: Client,
    web_url: String,
    /// The source of axe-core.
    axe: Option<String>,
    _processes: Processes,
}

impl Browser {
    /// Starts one.
    pub(crate) async fn start(programs: &Programs, web_url: &str) -> Self {
        let processes = Processes::start(&programs.chromedriver);
        let client = processes.open_session(&programs.chromium).await;
        let axe = access::axe_core();
        let browser = Self { client, web_url: web_url.to_owned(), axe, _processes: processes };
        browser.resize(DESK).await;
        browser
    }

    /// Opens a page of the web application.
    pub(crate) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.web_url);
        self.client.goto(&url).await.expect("chromedriver obeys");
    }

    /// The browser's own way back.
    pub(crate) async fn go_back(&self) {
        self.client.back().await.expect("chromedriver obeys");
    }

    /// Path and query of the page that is shown.
    pub(crate) async fn address(&self) -> String {
        let url = self.client.current_url().await.expect("an address");
        url.as_str().strip_prefix(&self.web_url).unwrap_or(url.as_str()).to_owned()
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
        self.client.title().await.expect("a title")
    }

    /// Puts a script into the page, as if somebody's text had not been cleaned.
    pub(crate) async fn slip_in_a_script(&self, script: &str) {
        let body = "const element = document.createElement('script');
                    element.textContent = arguments[0];
                    document.body.append(element);";
        self.run(body, vec![script.into()]).await;
    }

    /// All words that can be seen.
    pub(crate) async fn text(&self) -> String {
        self.text_of("body").await
    }

    /// The words of the first element that fits.
    pub(crate) async fn text_of(&self, css: &str) -> String {
        self.of(Locator::Css(css), async |element| element.text().await).await
    }

    /// Replaces what is in a field.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        self.of(Locator::Id(id), async |field| field.clear().await).await;
        self.of(Locator::Id(id), async |field| field.send_keys(text).await).await;
    }

    /// Clicks what fits a CSS selector.
    pub(crate) async fn click(&self, css: &str) {
        self.of(Locator::Css(css), async |element| element.click().await).await;
    }

    /// Clicks the first link, button or summary with exactly these words.
    pub(crate) async fn press(&self, words: &str) {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()='{words}']");
        self.of(Locator::XPath(&path), async |element| element.click().await).await;
    }

    /// Types on the keyboard, to whatever has the focus.
    pub(crate) async fn keys(&self, keys: &str) {
        let keyboard = KeyActions::new("keyboard".to_owned());
        let strokes = keys.chars().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]);
        let typed = strokes.fold(keyboard, InputSource::then);
        self.client.perform_actions(typed).await.expect("chromedriver obeys");
    }

    /// The id of the element that has the focus.
    pub(crate) async fn focus(&self) -> String {
        let element = self.client.active_element().await.expect("an element");
        element.attr("id").await.expect("chromedriver obeys").unwrap_or_default()
    }

    /// What the console has said since the last time: errors, refusals by the content security policy, the rest.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(ChromiumCommand::Log).await.expect("chromedriver obeys");
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
    async fn of<T>(&self, wanted: Locator<'_>, act: impl AsyncFn(&Element) -> Result<T, CmdError>) -> T {
        let begin = Instant::now();
        loop {
            let done = match self.client.find(wanted).await {
                Ok(element) => act(&element).await,
                Err(problem) => Err(problem),
            };
            match done {
                Ok(value) => return value,
                Err(problem) => {
                    let page = self.address().await;
                    assert!(begin.elapsed() < PATIENCE, "{wanted:?} at {page}: {problem}");
                }
            }
            pause().await;
        }
    }

    /// What a script in the page answers.
    async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.expect("chromedriver obeys")
    }

    /// A command that Chromium alone knows.
    async fn devtools(&self, name: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(ChromiumCommand::DevTools(name, parameters)).await.expect("chromedriver obeys")
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
