//! A model of token families beside a real server: whatever is done in whatever order, a family has at most one token
//! that still works, and what ended stays ended.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::Browser;
use crate::kit::process::Process;
use crate::kit::{Person, TestServer, number, word};

const SEQUENCES: usize = 6;
const FORKED: &str = "SELECT count(*) FROM (
    SELECT t.grant_id FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id
    WHERE t.consumed_at IS NULL AND g.revoked_at IS NULL GROUP BY t.grant_id HAVING count(*) > 1) AS forked";

/// Something that happens. Numbers choose a family and a token of it.
#[derive(Debug, Clone)]
enum Act {
    IssueByName,
    IssueByCode,
    Refresh(usize),
    Replay(usize, usize),
    Revoke(usize),
    Disconnect,
    Restart,
    /// The server is killed that many milliseconds after a refresh was sent.
    CrashDuringRefresh(usize, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::IssueByName),
        2 => Just(Act::IssueByCode),
        8 => any::<usize>().prop_map(Act::Refresh),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(family, token)| Act::Replay(family, token)),
        2 => any::<usize>().prop_map(Act::Revoke),
        1 => Just(Act::Disconnect),
        1 => Just(Act::Restart),
        2 => (any::<usize>(), 0_u64..12).prop_map(|(family, pause)| Act::CrashDuringRefresh(family, pause)),
    ]
}

/// What is known of a family.
#[derive(Debug)]
struct Family {
    /// Every refresh token that was handed out, the newest last.
    tokens: Vec<String>,
    access: String,
    is_alive: bool,
    /// A crash has left open whether the newest token was used.
    is_uncertain: bool,
}

struct Model<'a> {
    server: &'a TestServer,
    browser: &'a Browser,
    process: Option<Process>,
    families: Vec<Family>,
}

impl Model<'_> {
    fn url(&self) -> String {
        self.process.as_ref().expect("it runs").url.clone()
    }

    fn choose(&self, number: usize) -> Option<usize> {
        (!self.families.is_empty()).then(|| number % self.families.len())
    }

    fn issued(&mut self, answer: &Value) {
        let person = Person::from_answer(
            &json!({ "access_token": answer["access_token"], "refresh_token": answer["refresh_token"], "user_id": "" }),
        );
        self.families.push(Family {
            tokens: vec![person.refresh_token],
            access: person.token,
            is_alive: true,
            is_uncertain: false,
        });
    }

    async fn step(&mut self, act: &Act) {
        match *act {
            Act::IssueByName => {
                let answer: Value = self.server.user_token(json!({ "username": "ada" })).await.json().await.expect("JSON");
                // The account is the person's own: it is reached while the connection lasts.
                if answer["access_token"].is_string() {
                    self.issued(&answer);
                }
            }
            Act::IssueByCode => {
                let flow = self.server.flow().with("prompt", Some("consent"));
                let code = self.browser.code(&flow).await;
                let (status, answer) = self.server.exchange_at(&self.url(), &flow, &code).await;
                assert_eq!(status, 200, "{answer}");
                self.issued(&answer);
            }
            Act::Refresh(number) => {
                let Some(index) = self.choose(number) else { return };
                let newest = self.families[index].tokens.last().expect("a token").clone();
                self.present(index, &newest, true).await;
            }
            Act::Replay(number, token) => {
                let Some(index) = self.choose(number) else { return };
                let tokens = &self.families[index].tokens;
                let position = token % tokens.len();
                let (chosen, is_newest) = (tokens[position].clone(), position + 1 == tokens.len());
                self.present(index, &chosen, is_newest).await;
            }
            Act::Revoke(number) => {
                let Some(index) = self.choose(number) else { return };
                let token = self.families[index].tokens[0].clone();
                let request = self.server.http.post(format!("{}/revoke", self.url()));
                let request = request.basic_auth(&self.server.client_id, Some(&self.server.client_secret));
                assert_eq!(request.form(&[("token", token)]).send().await.expect("an answer").status(), 200, "REV-02");
                self.families[index].is_alive = false;
            }
            Act::Disconnect => {
                let page = self.browser.get("/connections").await;
                let form = [("csrf", page.field("csrf")), ("client_id", self.server.client_id.clone())];
                let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.browser.post("/connections", &form).await;
                for family in &mut self.families {
                    family.is_alive = false;
                }
            }
            Act::Restart => {
                self.process.take().expect("it runs").kill().await;
                self.process = Some(self.server.process(&["--refresh-leeway-seconds", "0"]).await);
            }
            Act::CrashDuringRefresh(number, pause) => self.crash(number, pause).await,
        }
    }

    /// Presents a token and compares with what the model says.
    async fn present(&mut self, index: usize, token: &str, is_newest: bool) {
        let response = self.server.refresh_at(&self.url(), token).await;
        let status = response.status().as_u16();
        let answer: Value = response.json().await.expect("JSON");
        let family = &mut self.families[index];
        let may_work = family.is_alive && is_newest;
        if status == 200 {
            assert!(may_work, "REF-01, REF-02, REF-03: a token that had ended has worked");
            family.tokens.push(word(&answer["refresh_token"]));
            family.access = word(&answer["access_token"]);
            family.is_uncertain = false;
            return;
        }
        assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_grant")), "{answer}");
        assert!(!may_work || family.is_uncertain, "REF-01: a token that holds has not worked");
        // Without leeway, a used token that comes back ends the family (REF-05); a family that had ended stays so.
        family.is_alive = false;
        family.is_uncertain = false;
    }

    async fn crash(&mut self, number: usize, pause: u64) {
        let Some(index) = self.choose(number) else { return };
        let token = self.families[index].tokens.last().expect("a token").clone();
        let process = self.process.take().expect("it runs");
        let request = self
            .server
            .http
            .post(format!("{}/token", process.url))
            .basic_auth(&self.server.client_id, Some(&self.server.client_secret))
            .form(&[("grant_type", "refresh_token"), ("refresh_token", &*token)]);
        let asked = tokio::spawn(request.send());
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        process.kill().await;
        let answered = match asked.await.expect("a task") {
            Ok(response) => response.json::<Value>().await.ok(),
            Err(_) => None,
        };
        self.process = Some(self.server.process(&["--refresh-leeway-seconds", "0"]).await);
        let family = &mut self.families[index];
        match answered {
            Some(answer) if answer["refresh_token"].is_string() => {
                assert!(family.is_alive, "REF-11");
                family.tokens.push(word(&answer["refresh_token"]));
                family.access = word(&answer["access_token"]);
                family.is_uncertain = false;
            }
            // It may have been used up without an answer: then its next use ends the family (REF-11).
            _ => family.is_uncertain = family.is_alive,
        }
    }

    /// What must hold after every act.
    async fn check(&self, pool: &PgPool, done: &[Act]) {
        assert_eq!(number(pool, FORKED).await, 0, "REF-04 {done:?}");
        for family in &self.families {
            if family.is_uncertain {
                continue;
            }
            let is_welcome = self.server.is_welcome_at(&self.url(), &family.access).await;
            assert_eq!(is_welcome, family.is_alive, "REF-02, REV-01: tokens live and die with their family {done:?}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_family_never_has_two_tokens_that_work(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--refresh-leeway-seconds", "0"]).await;
    let browser = Browser::of(&server, "ada").await;
    let mut runner = TestRunner::deterministic();

    for _ in 0..SEQUENCES {
        let acts = prop::collection::vec(act(), 10..25).new_tree(&mut runner).expect("a sequence").current();
        let process = server.process(&["--refresh-leeway-seconds", "0"]).await;
        let mut model = Model { server: &server, browser: &browser, process: Some(process), families: Vec::new() };
        for (index, act) in acts.iter().enumerate() {
            model.step(act).await;
            model.check(&pool, &acts[..=index]).await;
        }
        let count = model.families.len();
        sqlx::query("UPDATE grants SET revoked_at = now()").execute(&pool).await.expect("an update");
        assert!(count > 0 || acts.iter().all(|act| !matches!(act, Act::IssueByCode)));
    }
}
