//! The whole house as people meet it: in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::browser::{Browser, ENTER, Programs, TAB};
use crate::kit::{Up, folder, http};

pub(crate) const CELLO: &str = "My sister Clara plays the cello in an orchestra in Lisbon.";
pub(crate) const TEA: &str = "In the morning I drink green tea, never coffee.";
pub(crate) const BICYCLE: &str = "The blue bicycle has a flat tyre since Tuesday.";
/// Shares no word with the memory that answers it, except small ones.
pub(crate) const QUESTION: &str = "Which musical instrument does my sibling know?";
const VIOLA: &str = "My sister Clara has changed to the viola.";
pub(crate) const PASSWORD: &str = "seven quiet harbours";
/// Two servers and two web applications, each pair behind a proxy that gives every request to the next one.
pub(crate) const TWO: [&str; 2] = ["--replicas", "2"];

/// Both programs, and somebody in front of a browser.
pub(crate) struct House {
    pub(crate) up: Up,
    pub(crate) browser: Browser,
    pub(crate) _folder: TempDir,
}

impl House {
    /// None without a browser.
    pub(crate) async fn open() -> Option<Self> {
        Self::open_with(&[]).await
    }

    /// The same with further arguments of `picard up`.
    pub(crate) async fn open_with(arguments: &[&str]) -> Option<Self> {
        let programs = Programs::installed()?;
        let folder = folder();
        let up = Up::start(&folder.path().join("data"), arguments);
        let browser = Browser::start(&programs, &up.says("web_url")).await;
        Some(Self { up, browser, _folder: folder })
    }

    /// A folder for this house alone.
    pub(crate) fn folder(&self) -> &Path {
        self._folder.path()
    }

    /// Waits until searches by meaning can find everything that was written.
    pub(crate) async fn until_embedded(&self) {
        let health = format!("{}/health", self.up.says("server_url"));
        let begin = Instant::now();
        loop {
            let answer = http().get(&health).send().await.expect("an answer");
            let health: serde_json::Value = answer.json().await.expect("JSON");
            if health["checks"]["embedding_backlog"] == 0 {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{health}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn a_person_registers_connects_writes_finds_edits_and_deletes() {
    whole_journey(&[]).await;
}

#[tokio::test]
async fn two_of_everything_behave_as_one_to_a_person() {
    whole_journey(&TWO).await;
}

async fn whole_journey(arguments: &[&str]) {
    let Some(House { up, browser, _folder: folder }) = House::open_with(arguments).await else {
        return;
    };

    register(&browser, "beverly").await;
    connect(&browser).await;
    for text in [CELLO, TEA, BICYCLE] {
        write(&browser, text).await;
    }
    find_and_edit(&browser).await;
    make_public(&browser).await;
    let page = browser.address().await;
    delete(&browser, TEA).await;
    sign_out(&browser, &page).await;
    sign_in_without_a_mouse(&browser, "beverly").await;
    browser.see(VIOLA).await;

    assert_eq!(browser.complaints().await, Vec::<String>::new());
    let (code, said) = up.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    for secret in ["Clara", "tea", "tyre", "harbours"] {
        assert!(!said.contains(secret), "the log tells {secret}: {said}");
    }
    // Rows, indexes, the write-ahead log, the programs' logs: nothing of what was written, searched or typed.
    let found = files_with(folder.path(), &[CELLO, TEA, BICYCLE, VIOLA, QUESTION, PASSWORD, "Clara", "viola"]);
    assert!(found.is_empty(), "ENC-01: {found:?}");
}

/// Which file under a folder holds which of the texts.
fn files_with(folder: &Path, texts: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, texts));
        } else if let Ok(bytes) = fs::read(&path) {
            let content = String::from_utf8_lossy(&bytes);
            let holds = |text: &&&str| content.contains(**text);
            found.extend(texts.iter().filter(holds).map(|text| (path.clone(), (*text).to_owned())));
        }
    }
    found
}

pub(crate) async fn register(browser: &Browser, username: &str) {
    browser.open("/").await;
    browser.press("Create an account").await;
    browser.arrive("/register").await;
    browser.fill("username", username).await;
    browser.fill("password", PASSWORD).await;
    browser.press("Create account").await;
    browser.arrive("/connect").await;
    assert_eq!(browser.text_of(".who").await, username);
}

pub(crate) async fn connect(browser: &Browser) {
    browser.press("Connect").await;
    browser.arrive("/memories").await;
    browser.see("You are connected.").await;
    browser.see("Nothing remembered yet").await;
}

/// Writes a memory and waits until searches can find it.
pub(crate) async fn write(browser: &Browser, text: &str) {
    browser.press("New memory").await;
    browser.arrive("/memories/new").await;
    browser.fill("text", text).await;
    browser.press("Remember this").await;
    browser.see("Your memory is stored.").await;
    let begin = Instant::now();
    while browser.text().await.contains("in a moment") {
        assert!(begin.elapsed() < Duration::from_secs(30), "it is not embedded");
        tokio::time::sleep(Duration::from_millis(200)).await;
        browser.open(&browser.address().await).await;
    }
}

async fn find_and_edit(browser: &Browser) {
    browser.fill("top-q", QUESTION).await;
    browser.keys(ENTER).await;
    browser.arrive("/search?q=").await;
    assert_eq!(browser.text_of(".list .excerpt").await, CELLO);

    browser.click(".list .excerpt a").await;
    browser.press("Edit").await;
    browser.see("Edit memory").await;
    browser.fill("text", VIOLA).await;
    browser.press("Save").await;
    browser.see("Your changes are saved.").await;
    assert_eq!(browser.text_of(".memory-text").await, VIOLA);
}

async fn make_public(browser: &Browser) {
    assert_eq!(browser.text_of(".badge").await, "Private");
    browser.press("Make public …").await;
    browser.press("Make public").await;
    browser.see("This memory is public now.").await;
    assert_eq!(browser.text_of(".badge").await, "Public");
}

async fn delete(browser: &Browser, text: &str) {
    browser.press("Memories").await;
    browser.press(text).await;
    browser.press("Delete …").await;
    browser.press("Delete now").await;
    browser.see("The memory is deleted.").await;
    browser.press("All memories").await;
    browser.see(BICYCLE).await;
    let left = browser.text().await;
    assert!(!left.contains(text) && left.contains(BICYCLE), "{left}");
}

/// Signs out; neither the way back nor the address shows anything any more.
async fn sign_out(browser: &Browser, page: &str) {
    browser.click(".menu > summary").await;
    browser.press("Sign out").await;
    browser.see("You are signed out.").await;
    browser.go_back().await;
    browser.arrive("/login").await;
    browser.open(page).await;
    browser.arrive("/login?next=").await;
    let seen = browser.text().await;
    assert!(!seen.contains("Clara"), "{seen}");
}

async fn sign_in_without_a_mouse(browser: &Browser, username: &str) {
    let mut steps = 0;
    while browser.focus().await != "username" {
        browser.keys(TAB).await;
        steps += 1;
        assert!(steps < 10, "the form is out of reach");
    }
    browser.keys(&format!("{username}{TAB}{PASSWORD}{ENTER}")).await;
    browser.arrive("/memories/").await;
}

#[tokio::test]
async fn every_page_fits_a_desk_and_a_phone_and_runs_no_foreign_script() {
    let Some(House { up, browser, _folder }) = House::open().await else {
        return;
    };

    look_from_outside(&browser).await;
    register(&browser, "katherine").await;
    look_around(&browser).await;
    look_at_a_memory(&browser).await;
    look_at_searches(&browser).await;
    look_at_a_persona(&browser).await;
    let complaints = browser.complaints().await;
    browser.slip_in_a_script("document.title = 'stolen'").await;

    browser.hear("Content Security Policy").await;
    assert!(!browser.title().await.contains("stolen"));
    // That a page does not exist or a form is not accepted was asked for.
    let expected = |line: &&String| line.contains("the server responded with a status of 4");
    assert_eq!(complaints.iter().find(|line| !expected(line)), None);
    up.stop(Signal::TERM);
}

async fn look_from_outside(browser: &Browser) {
    for (name, path) in [("home", "/"), ("register", "/register"), ("login", "/login"), ("not-found", "/nowhere")] {
        browser.open(path).await;
        browser.look(name).await;
    }
    browser.open("/login").await;
    browser.fill("username", "nobody").await;
    browser.fill("password", "guessed").await;
    browser.click("main button").await;
    browser.see("The username or the password is wrong.").await;
    browser.look("login-again").await;
}

async fn look_around(browser: &Browser) {
    browser.look("connect").await;
    browser.open("/connections").await;
    browser.look("connections-none").await;
    browser.open("/connect").await;
    connect(browser).await;
    browser.look("memories-empty").await;
    browser.open("/connections").await;
    browser.look("connections").await;
    browser.press("Disconnect …").await;
    browser.look("connections-end").await;
    let pages =
        ["profile", "groups", "import", "activity", "analytics", "personas", "personas/new", "personas/questions", "admin"];
    for name in pages {
        browser.open(&format!("/{name}")).await;
        browser.look(&name.replace('/', "-")).await;
    }
    browser.click(".menu > summary").await;
    browser.look("menu").await;
    browser.open("/nowhere").await;
    browser.look("not-found-inside").await;
}

async fn look_at_a_persona(browser: &Browser) {
    browser.open("/personas").await;
    browser.look("personas-empty").await;
    browser.open("/personas/new").await;
    browser.look("persona-new").await;
    browser.fill("name", "Katherine at breakfast").await;
    browser.fill("description", "Ask me about *mornings*.").await;
    browser.press("Make the persona").await;
    browser.see("Katherine at breakfast").await;
    browser.look("persona").await;
    browser.fill("prompt", "What do you drink in the morning?").await;
    browser.press("Ask").await;
    browser.see("green tea").await;
    browser.look("persona-answer").await;
    browser.open("/personas").await;
    browser.look("personas").await;
    browser.open("/personas/questions").await;
    browser.look("persona-questions").await;
}

async fn look_at_a_memory(browser: &Browser) {
    browser.open("/memories/new").await;
    browser.look("new").await;
    browser.fill("text", "A **bold** text").await;
    browser.press("Preview").await;
    assert_eq!(browser.text_of("#preview strong").await, "bold");
    browser.fill("tags", &"much too long ".repeat(9)).await;
    browser.press("Remember this").await;
    browser.see("Please have a look").await;
    browser.look("new-again").await;
    for text in [CELLO, TEA, BICYCLE, HOSTILE] {
        write(browser, text).await;
    }
    browser.look("memory").await;
    for (words, seen, name) in [("Sharing", "Shared with", "sharing"), ("Earlier versions", "Version 1", "history")] {
        browser.press(words).await;
        browser.see(seen).await;
        browser.look(name).await;
        browser.go_back().await;
    }
    assert!(!browser.title().await.contains("stolen"));
    browser.press("Make public …").await;
    browser.look("memory-public").await;
    browser.press("Make public …").await;
    browser.press("Delete …").await;
    browser.look("memory-delete").await;
    browser.press("Edit").await;
    browser.see("Edit memory").await;
    browser.look("edit").await;
    browser.open("/memories").await;
    browser.look("memories").await;
}

/// Long words, markup of all kinds and what an attacker would try.
const HOSTILE: &str = "# Notes\n\nA **bold** word, [a link](https://example.org/), and\n\n- one\n- two\n\n\
                       <script>document.title = 'stolen'</script><img src=x onerror=\"document.title = 'stolen'\">\n\n\
                       [press](javascript:alert(1)) Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft\n\n\
                       | a table | with | many | columns | that | is | wider | than | a | phone |\n\
                       |---|---|---|---|---|---|---|---|---|---|\n\
                       | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |\n\n> quoted\n\n`code`";

async fn look_at_searches(browser: &Browser) {
    browser.open("/search").await;
    browser.look("search-empty").await;
    browser.fill("q", QUESTION).await;
    browser.keys(ENTER).await;
    browser.see("Match").await;
    browser.look("search").await;
    browser.open("/memories?tag=nothing").await;
    browser.look("memories-filtered").await;
}
