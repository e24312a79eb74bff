//! Administering the server from the application: its figures, people and applications.

use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_quiet, examine, join, write};
use crate::browser::{Browser, Person};
use crate::house::{CELLO, House};
use crate::kit::{Up, http};

#[tokio::test]
async fn an_administrator_sees_figures_and_looks_after_people_and_applications() {
    let Some(house) = House::open().await else { return };
    let (browser, password) = (&house.browser, house.up.first_password().await);
    let administrator = Administrator { up: &house.up, password: &password };
    let client = administrator.register_a_client().await;
    join(browser, "bob").await;
    let memory = write(browser, CELLO, "private").await;
    let bob = browser.put_aside().await;
    let id_of_bob = administrator.id_of("bob").await;
    join(browser, "alice").await;

    open(browser, &house.up.says("admin_username"), &password).await;
    look_after_people(browser, (&bob, &id_of_bob), &memory).await;
    look_after_applications(browser, &client).await;
    close(browser).await;
    assert_quiet(browser).await;
}

/// The administrator as scripts are.
struct Administrator<'a> {
    up: &'a Up,
    password: &'a str,
}

impl Administrator<'_> {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = http().request(method, format!("{}{path}", self.up.says("server_url")));
        let request = request.basic_auth(self.up.says("admin_username"), Some(self.password)).json(body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// An application besides the one that everything here goes through.
    async fn register_a_client(&self) -> String {
        let wanted = json!({ "client_name": "My script", "redirect_uris": ["http://127.0.0.1/cb"], "scopes": ["memories:read"] });
        let client = self.ask(Method::POST, "/api/admin/clients/register", &wanted).await;
        client["client_id"].as_str().unwrap_or_else(|| panic!("{client}")).to_owned()
    }

    async fn id_of(&self, username: &str) -> String {
        let found = self.ask(Method::GET, "/api/admin/users", &json!({})).await;
        let mut users = found["users"].as_array().into_iter().flatten();
        let user = users.find(|user| user["username"] == username);
        user.and_then(|user| user["id"].as_str()).unwrap_or_else(|| panic!("{found}")).to_owned()
    }
}

async fn open(browser: &Browser, username: &str, password: &str) {
    browser.open("/admin").await;
    browser.fill("username", username).await;
    browser.fill("password", "guessed in vain").await;
    browser.send("form[action='/admin']").await;
    browser.count("#username[aria-invalid]", 1).await;
    examine(browser, "admin-refused").await;
    browser.fill("password", password).await;
    browser.send("form[action='/admin']").await;
    browser.count(".numbers", 1).await;
    examine(browser, "admin-figures").await;
}

/// Sends the one of several forms that has this value; what cannot be undone asks first.
async fn act(browser: &Browser, form: &str, value: &str) {
    let field = format!("{form} [value={value}]");
    if browser.has(&format!("details:has({field})")).await {
        browser.confirm(&field).await;
    } else {
        browser.send(&format!("{form}:has([value={value}])")).await;
    }
}

async fn look_after_people(browser: &Browser, (bob, id): (&Person, &str), memory: &str) {
    let form = format!("form[action$='{id}']");
    let field = |to: &str| format!("{form} [value={to}]");
    browser.follow("a[href='/admin/users']").await;
    examine(browser, "admin-people").await;
    act(browser, &form, "inactive").await;
    browser.count(&field("active"), 1).await;
    browser.look("admin-people-deactivated").await;
    let alice = browser.pass_to(bob).await;
    browser.open(memory).await;
    assert!(!browser.text().await.contains("Clara"), "who is deactivated has no access");
    browser.pass_to(&alice).await;
    browser.open("/admin/users").await;
    act(browser, &form, "active").await;
    browser.count(&field("inactive"), 1).await;
    browser.ask(&field("deleted")).await;
    browser.look("admin-people-delete").await;
    browser.agree(&field("deleted")).await;
    browser.count(&field("deleted"), 0).await;
}

async fn look_after_applications(browser: &Browser, client: &str) {
    browser.follow("a[href='/admin/clients']").await;
    examine(browser, "admin-applications").await;
    let form = format!("form[action$='{client}']");
    browser.ask(&format!("{form} [value=new-secret]")).await;
    browser.look("admin-application-new-secret").await;
    browser.agree(&format!("{form} [value=new-secret]")).await;
    assert!(browser.text_of("main code").await.len() > 30, "a secret");
    examine(browser, "admin-application-secret").await;
    browser.open("/admin/clients").await;
    assert!(!browser.has("main code").await, "it is shown once");
    browser.confirm(&format!("{form} [value=deleted]")).await;
    browser.count(&form, 0).await;
}

async fn close(browser: &Browser) {
    browser.open("/admin").await;
    browser.send("form[action='/admin/close']").await;
    browser.count("form[action='/admin'] #password", 1).await;
    browser.open("/admin/users").await;
    assert!(!browser.text().await.contains("bob"));
}
