//! Two server processes on one database, and many who want the same token at once.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::Browser;
use crate::kit::{TestServer, number, word};

const ROUNDS: usize = 100;
const PARALLEL: usize = 50;
/// Families with more than one token that still works.
const FORKED: &str = "SELECT count(*) FROM (
    SELECT t.grant_id FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id
    WHERE t.consumed_at IS NULL AND g.revoked_at IS NULL GROUP BY t.grant_id HAVING count(*) > 1) AS forked";

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_hundred_rounds_of_fifty_refreshes_have_one_winner_each(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let processes = [server.process(&[]).await, server.process(&[]).await];
    let mut refresh_token = server.sign_in("ada").await.refresh_token;

    for round in 0..ROUNDS {
        let asked = (0..PARALLEL).map(|number| server.refresh_at(&processes[number % 2].url, &refresh_token));
        let mut winners = Vec::new();
        for response in join_all(asked).await {
            let status = response.status().as_u16();
            let body: Value = response.json().await.expect("JSON");
            match status {
                200 => winners.push(word(&body["refresh_token"])),
                _ => assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "REF-04 round {round}"),
            }
        }
        assert_eq!(winners.len(), 1, "REF-04 round {round}");
        assert_eq!(number(&pool, FORKED).await, 0, "REF-04 round {round}");
        refresh_token = winners.swap_remove(0);
    }
    let live = "SELECT count(*) FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id WHERE t.consumed_at IS NULL AND g.revoked_at IS NULL";
    assert_eq!(number(&pool, live).await, 1, "REF-04, REF-05: the family has survived");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_hundred_rounds_of_fifty_exchanges_have_one_winner_each(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let processes = [server.process(&[]).await, server.process(&[]).await];
    let browser = Browser::of(&server, "ada").await;
    browser.decide(&server.flow(), "allow").await;

    for round in 0..ROUNDS {
        let flow = server.flow();
        let code = browser.get(&flow.path()).await.answer().remove("code").expect("a code");
        let asked = (0..PARALLEL).map(|number| server.exchange_at(&processes[number % 2].url, &flow, &code));
        let answers = join_all(asked).await;
        let winners = answers.iter().filter(|(status, _)| *status == 200).count();
        let losers = answers.iter().filter(|(status, body)| *status == 400 && body["error"] == "invalid_grant").count();
        assert_eq!((winners, losers), (1, PARALLEL - 1), "TOK-03 round {round}");
    }
    assert_eq!(number(&pool, FORKED).await, 0, "TOK-03");
    let families = "SELECT count(*) FROM grants";
    assert_eq!(number(&pool, families).await, i64::try_from(ROUNDS).expect("a number"), "TOK-03: one family a code");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn tokens_and_revocation_hold_through_a_restart(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (first, second) = (server.process(&[]).await, server.process(&[]).await);
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let revoke = async |url: &str, token: &str| {
        let request = server.http.post(format!("{url}/revoke")).basic_auth(&server.client_id, Some(&server.client_secret));
        assert_eq!(request.form(&[("token", token)]).send().await.expect("an answer").status(), 200);
    };
    revoke(&first.url, &ada.token).await;
    assert!(!server.is_welcome_at(&second.url, &ada.token).await, "REV-01: at once, at the other process too");

    first.kill().await;
    second.stop().await;
    let (first, second) = (server.process(&[]).await, server.process(&[]).await);

    for url in [&first.url, &second.url] {
        assert!(!server.is_welcome_at(url, &ada.token).await, "REV-06");
        assert!(server.is_welcome_at(url, &eve.token).await, "REV-06");
    }
    let refreshed: Value = server.refresh_at(&first.url, &eve.refresh_token).await.json().await.expect("JSON");
    let newest = word(&refreshed["refresh_token"]);
    revoke(&second.url, &newest).await;
    assert_eq!(server.refresh_at(&first.url, &newest).await.status(), 400, "REV-01");
    assert!(!server.is_welcome_at(&first.url, &word(&refreshed["access_token"])).await, "REV-01: with its family");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_fifty_sign_ups_under_one_name_one_makes_an_account_flt_19(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let processes = [server.process(&[]).await, server.process(&[]).await];

    let asked = (0..PARALLEL).map(|number| {
        let name = if number % 3 == 0 { "Ada" } else { "ada" };
        let body = json!({ "username": name, "email": format!("{number}@example.org"), "password": "four unrelated words" });
        server.http.post(format!("{}/api/users", processes[number % 2].url)).json(&body).send()
    });
    let statuses: Vec<u16> =
        join_all(asked).await.into_iter().map(|answer| answer.expect("an answer").status().as_u16()).collect();

    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(201), count(409)), (1, PARALLEL - 1), "FLT-19 {statuses:?}");
    assert_eq!(number(&pool, "SELECT count(*) FROM users WHERE username_key = 'ada'").await, 1, "FLT-19");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_fifty_answers_to_one_question_one_counts_flt_19(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let processes = [server.process(&[]).await, server.process(&[]).await];
    let browser = Browser::of(&server, "ada").await;
    let question = browser.get(&server.flow().path()).await;
    let form = [("csrf", question.field("csrf")), ("request", question.field("request")), ("decision", "allow".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();

    let asked = (0..PARALLEL).map(|number| {
        let url = format!("{}/consent", processes[number % 2].url);
        browser.send(browser.request(reqwest::Method::POST, &url).form(&form))
    });
    let answers = join_all(asked).await;

    let codes = answers.iter().filter(|page| page.status == 303 && page.location().contains("code=")).count();
    let refused = answers.iter().filter(|page| page.status.is_client_error()).count();
    let statuses: Vec<u16> = answers.iter().map(|page| page.status.as_u16()).collect();
    assert_eq!((codes, refused), (1, PARALLEL - 1), "FLT-19 {statuses:?}");
    assert_eq!(number(&pool, "SELECT count(*) FROM authorization_codes").await, 1, "FLT-19");
}
