//! `--demo`: two people with an account at the web application and a few dozen memories each.

mod browser;
mod memories;

use std::path::Path;

use crate::env_file::EnvFile;
use crate::problem::Problem;
use crate::program::Program;
use crate::random;
use crate::rest::{self, Credentials, Person, email_of};

use browser::{Browser, SignIn};
use memories::add_missing;

/// The people and what they remember, one set of arguments for `submit_memory` a line.
const PEOPLE: [(&str, &str); 2] = [("ada", include_str!("demo/ada.ndjson")), ("grace", include_str!("demo/grace.ndjson"))];

/// The demo people's accounts at the web application.
pub(super) struct Accounts(Vec<Account>);

struct Account {
    username: &'static str,
    /// Nothing when somebody registered under this name with another password.
    password: Option<String>,
    added: usize,
}

impl Accounts {
    /// Tells the person how to sign in as them.
    pub(super) fn tell(&self) {
        eprintln!("  demo people, for the web application:");
        for account in &self.0 {
            let added = account.added;
            match &account.password {
                Some(password) => eprintln!("    {}, password {password}  ({added} memories added)", account.username),
                None => eprintln!("    {} was there before, with a password of their own; left alone", account.username),
            }
        }
        eprintln!();
    }
}

/// Adds what is missing of the demo; a second time nothing is missing.
pub(super) async fn add(data_dir: &Path, server_url: &str, web_url: &str) -> Result<Accounts, Problem> {
    let http = rest::client()?;
    let web = EnvFile::load(&data_dir.join(Program::Web.env_file()))?;
    let value = |name: &str| web.get(name).unwrap_or_default();
    let credentials = Credentials { id: value("CLIENT_ID"), secret: value("CLIENT_SECRET") };
    let mut passwords = EnvFile::load(&data_dir.join("demo.env"))?;
    passwords.comment_if_new("The passwords of the demo people at the web application.");
    let mut accounts = Vec::new();
    for (username, remembered) in PEOPLE {
        let password = password_of(username, &mut passwords)?;
        if sign_in(&http, web_url, username, &password).await? {
            let person = Person::connect(&http, server_url, &credentials, username).await?;
            let added = add_missing(&person, remembered).await?;
            accounts.push(Account { username, password: Some(password), added });
        } else {
            accounts.push(Account { username, password: None, added: 0 });
        }
    }
    Ok(Accounts(accounts))
}

fn password_of(username: &str, passwords: &mut EnvFile) -> Result<String, Problem> {
    let name = format!("{}_PASSWORD", username.to_uppercase());
    if let Some(password) = passwords.get(&name) {
        return Ok(password);
    }
    let password = random::password()?;
    passwords.set(&name, &password);
    passwords.save()?;
    Ok(password)
}

/// Registers and connects somebody as they would in a browser; whether the account is the demo's own.
async fn sign_in(http: &reqwest::Client, web_url: &str, username: &str, password: &str) -> Result<bool, Problem> {
    let mut browser = Browser::new(http.clone(), web_url);
    let email = email_of(username);
    let fields = [("username", username), ("email", &email), ("password", password)];
    match browser.submit("/register", &fields).await? {
        SignIn::Done => {
            browser.submit("/connect", &[]).await?;
            Ok(true)
        }
        SignIn::Refused => {
            let mut browser = Browser::new(http.clone(), web_url);
            let fields = [("username", username), ("password", password)];
            Ok(browser.submit("/login", &fields).await? == SignIn::Done)
        }
    }
}

/// An HTTP failure in words.
fn failed(doing: &str, error: &reqwest::Error) -> Problem {
    Problem::from_error(doing, error)
}
