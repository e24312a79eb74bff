//! What the tests stand on.

mod browser;
mod fake_admin;
mod fake_groups;
mod fake_personas;
mod fake_profile;
mod fake_server;
mod fake_tools;
mod fake_transfers;

use clap::Parser;
use picard_web::{Config, RunningWeb};
use sqlx::PgPool;

pub(crate) use browser::{Browser, Page};
pub(crate) use fake_server::{CLIENT_ID, CLIENT_SECRET, FakeServer, Trouble};

/// A Fernet key for tests only.
pub(crate) const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const PASSWORD: &str = "seven quiet otters";

/// The application on a database of its own, with its Picard server.
pub(crate) struct House {
    pub(crate) web: RunningWeb,
    pub(crate) server: FakeServer,
    pub(crate) pool: PgPool,
}

/// A configuration for a test's database; later arguments win.
pub(crate) fn config(pool: &PgPool, server_url: &str, more: &[&str]) -> Config {
    use sqlx::ConnectOptions;
    let database = pool.connect_options().to_url_lossy().to_string();
    let given = [
        "picard-web",
        "--web-addr=127.0.0.1:0",
        "--web-public-url=",
        "--environment=development",
        &format!("--web-encryption-keys={KEY}"),
        &format!("--web-database-url={database}"),
        &format!("--server-url={server_url}"),
        &format!("--client-id={CLIENT_ID}"),
        &format!("--client-secret={CLIENT_SECRET}"),
    ]
    .map(str::to_owned);
    Config::try_parse_from(given.into_iter().chain(more.iter().map(ToString::to_string))).expect("a configuration")
}

impl House {
    pub(crate) async fn open(pool: PgPool) -> Self {
        Self::open_with(pool, &[]).await
    }

    pub(crate) async fn open_with(pool: PgPool, more: &[&str]) -> Self {
        let server = FakeServer::start().await;
        let web = picard_web::start(config(&pool, server.url(), more)).await.expect("the application starts");
        Self { web, server, pool }
    }

    /// A second copy of the application on the same database.
    pub(crate) async fn second_web(&self) -> RunningWeb {
        picard_web::start(config(&self.pool, self.server.url(), &[])).await.expect("a second one starts")
    }

    /// Somebody who has not been here before.
    pub(crate) fn stranger(&self) -> Browser {
        Browser::at(&self.web)
    }

    /// Somebody with an account, signed in.
    pub(crate) async fn member(&self, username: &str) -> Browser {
        let browser = self.stranger();
        browser.get("/register").await;
        let page = browser.post("/register", &[("username", username), ("password", PASSWORD)]).await;
        assert_eq!(page.location(), "/connect", "{}", page.body);
        browser.get("/connect").await;
        browser
    }

    /// Somebody whose account is connected.
    pub(crate) async fn connected(&self, username: &str) -> Browser {
        let browser = self.member(username).await;
        let page = browser.post("/connect", &[]).await;
        assert_eq!(page.location(), "/memories?done=connected", "{}", page.body);
        browser.get("/memories").await;
        browser
    }

    /// Makes every access token look as if its hour was over.
    pub(crate) async fn let_access_tokens_expire(&self) {
        self.execute("UPDATE connections SET access_expires_at = now() - interval '1 minute'").await;
        self.server.expire_access_tokens();
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.expect("the statement runs");
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("the statement gives a number")
    }
}
