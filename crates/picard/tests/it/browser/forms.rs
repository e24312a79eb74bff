//! Going from page to page as forms and links lead, and being one person after the other.

use std::fs;
use std::path::Path;
use std::time::Instant;

use fantoccini::Locator;
use fantoccini::cookies::Cookie;
use serde_json::json;

use super::looks::DESK;
use super::{Browser, PATIENCE, pause};

/// Keys that go through a list (W3C WebDriver, section 17.4.2).
const UP: &str = "\u{E013}";
const DOWN: &str = "\u{E015}";

/// What makes a browser the browser of somebody who is signed in.
pub(crate) struct Person(Vec<Cookie<'static>>);

impl Browser {
    /// Clicks what leads to another page, and waits until that is there, also when its address is the same.
    pub(crate) async fn follow(&self, css: &str) {
        self.run("window.isOld = true", Vec::new()).await;
        self.click(css).await;
        let begin = Instant::now();
        let is_there = "return !window.isOld && document.readyState === 'complete'";
        // Between two pages there is none that could answer.
        while self.client.execute(is_there, Vec::new()).await.ok() != Some(json!(true)) {
            assert!(begin.elapsed() < PATIENCE, "{css} leads nowhere: {}", self.text().await);
            pause().await;
        }
    }

    /// Sends the form with its only button.
    pub(crate) async fn send(&self, form: &str) {
        self.follow(&format!("{form} button[type=submit]")).await;
    }

    /// Opens the question whose answer this form, or this field of a form, is.
    pub(crate) async fn ask(&self, inside: &str) {
        self.click(&format!("details:has({inside}) > summary")).await;
    }

    /// Answers a question that is open with yes.
    pub(crate) async fn agree(&self, inside: &str) {
        self.follow(&format!("details[open]:has({inside}) button[type=submit]")).await;
    }

    /// Opens a question and answers it with yes.
    pub(crate) async fn confirm(&self, inside: &str) {
        self.ask(inside).await;
        self.agree(inside).await;
    }

    /// Chooses an option of a list by its value, with the keyboard: chromedriver's clicks tell the page less than people's.
    pub(crate) async fn choose(&self, id: &str, value: &str) {
        let script = "const list = document.getElementById(arguments[0]);
            return [...list.options].findIndex((one) => one.value === arguments[1]) - list.selectedIndex;";
        let steps = self.run(script, vec![id.into(), value.into()]).await.as_i64().expect("a number");
        let key = if steps < 0 { UP } else { DOWN };
        let keys = key.repeat(usize::try_from(steps.abs()).expect("a small number"));
        self.type_into(&format!("#{id}"), &keys).await;
        assert_eq!(self.value_of(id).await, value);
    }

    /// Waits until so many elements fit.
    pub(crate) async fn count(&self, css: &str, wanted: usize) {
        let begin = Instant::now();
        loop {
            let count = self.client.find_all(Locator::Css(css)).await.expect("chromedriver obeys").len();
            if count == wanted {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{count} of {css} instead of {wanted}: {}", self.text().await);
            pause().await;
        }
    }

    /// Whether an element fits, now.
    pub(crate) async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.expect("chromedriver obeys").is_empty()
    }

    /// Whether an element is there and can be seen.
    pub(crate) async fn is_shown(&self, css: &str) -> bool {
        self.of(Locator::Css(css), async |element| element.is_displayed().await).await
    }

    /// What is in a field.
    pub(crate) async fn value_of(&self, id: &str) -> String {
        self.of(Locator::Id(id), async |field| field.prop("value").await).await.unwrap_or_default()
    }

    /// An attribute of the first element that fits.
    pub(crate) async fn attribute(&self, css: &str, name: &str) -> String {
        self.of(Locator::Css(css), async |element| element.attr(name).await).await.unwrap_or_default()
    }

    /// Types after what is in a field, or chooses a file for it.
    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        self.of(Locator::Css(css), async |field| field.send_keys(text).await).await;
    }

    /// Puts a value into a field whose keys depend on the language, as those of times do.
    pub(crate) async fn set(&self, id: &str, value: &str) {
        let script = "const field = document.getElementById(arguments[0]);
            field.value = arguments[1];
            field.dispatchEvent(new Event('input', { bubbles: true }));";
        self.run(script, vec![id.into(), value.into()]).await;
    }

    /// Drops a file there, as somebody who drags it from a folder does.
    pub(crate) async fn drop_file(&self, css: &str, name: &str, content: &str) {
        let script = "const [css, name, content] = arguments;
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], name));
            for (const kind of ['dragover', 'drop']) {
                const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
                document.querySelector(css).dispatchEvent(event);
            }";
        self.run(script, vec![css.into(), name.into(), content.into()]).await;
    }

    /// Lets pages run scripts, or not, from the next one on.
    pub(crate) async fn allow_scripts(&self, is_allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !is_allowed })).await;
    }

    /// Takes who is signed in out of the browser: nobody is then.
    pub(crate) async fn put_aside(&self) -> Person {
        let cookies = self.client.get_all_cookies().await.expect("cookies");
        self.client.delete_all_cookies().await.expect("chromedriver obeys");
        Person(cookies)
    }

    /// Gives the browser to another person, and answers who had it.
    pub(crate) async fn pass_to(&self, person: &Person) -> Person {
        let before = self.put_aside().await;
        for cookie in &person.0 {
            self.client.add_cookie(cookie.clone()).await.expect("chromedriver obeys");
        }
        before
    }

    /// Does something in another tab, and comes back.
    pub(crate) async fn in_another_tab(&self, act: impl AsyncFnOnce()) {
        let here = self.client.window().await.expect("a tab");
        let other = self.client.new_window(true).await.expect("another tab");
        self.client.switch_to_window(other.handle).await.expect("chromedriver obeys");
        self.resize(DESK).await;
        act().await;
        self.client.close_window().await.expect("chromedriver obeys");
        self.client.switch_to_window(here).await.expect("chromedriver obeys");
    }

    /// Clicks a link to a file and waits until it is in the folder; answers what is in it.
    pub(crate) async fn download(&self, css: &str, folder: &Path, name: &str) -> String {
        let behaviour = json!({ "behavior": "allow", "downloadPath": folder });
        self.devtools("Browser.setDownloadBehavior", behaviour).await;
        self.click(css).await;
        let begin = Instant::now();
        loop {
            // Until it is complete it has another name.
            if let Ok(content) = fs::read_to_string(folder.join(name)) {
                return content;
            }
            assert!(begin.elapsed() < PATIENCE, "no {name} in {folder:?}");
            pause().await;
        }
    }
}
