//! Faults of the model that answers for personas.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::kit::TestServer;
use crate::kit::llm::{FakeLlm, Reply};
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;

/// How many ask at a time; more than there are connections to the database.
const ASKERS: usize = 8;
/// The longest that an answer may take here: its limit of 6 s, and what comes before and after.
const LONGEST: Duration = Duration::from_secs(15);
/// The longest that a write may take meanwhile.
const LONGEST_WRITE: Duration = Duration::from_secs(3);

/// FLT-11: the model is down, slow, endless, or says ten megabytes. Answers are bounded, and writes find the pool free.
pub async fn faults() -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let llm = FakeLlm::spawn().await;
    let url = llm.url();
    let limits = ["--llm-first-text-seconds", "2", "--llm-silence-seconds", "2", "--llm-total-seconds", "4"];
    let model = ["--llm-base-url", &url, "--llm-model", "test", "--database-max-connections", "4"];
    let more = ["--persona-limit-per-minute", "0", "--persona-limit-per-day", "0"];
    let server = TestServer::spawn_at(postgres.url("picard"), &[&model[..], &limits[..], &more[..]].concat()).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    server.publish(&bob, "My favourite tea is Earl Grey.").await;
    let load = Load::begin(&server.url, &ada, 4);
    load.until_success().await;
    let mut wrong = Vec::new();
    let ten_megabytes = Reply::Whole("tea ".repeat(2_500_000));
    for reply in [Reply::Status(500, json!({})), Reply::Silent, Reply::Endless, ten_megabytes] {
        // One for each: what fails at once may be tried again, and then finds the model well.
        llm.script(vec![reply.clone(); ASKERS]);
        let ask = || async {
            let began = Instant::now();
            let question = json!({ "user_id": bob.user_id, "prompt": "favourite tea" });
            let answer = server.send_call(&bob, "query_user", question).await;
            let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap_or_default());
            (status, body.len(), began.elapsed())
        };
        let kind = format!("{reply:?}").chars().take(20).collect::<String>();
        for (status, length, took) in join_all((0..ASKERS).map(|_| ask())).await {
            if ![200, 429, 503].contains(&status) || length > 200_000 || took > LONGEST {
                wrong.push(format!("{kind}: answered {status} with {length} bytes after {took:?}"));
            }
        }
    }
    let recovery = load.until_success().await;
    let written = load.end().await;
    let mut outcome = Outcome::of("FLT-11 model down, slow, endless", &server.database_url, &ada, written).await;
    outcome.wrong.extend(wrong);
    if outcome.slowest > LONGEST_WRITE {
        outcome.wrong.push(format!("a write waited for {:?} while the model was asked", outcome.slowest));
    }
    outcome.recovered(recovery, Duration::from_secs(2))
}
