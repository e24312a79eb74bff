//! The server is killed while it imports.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::kit::postgres::Postgres;
use crate::kit::{Person, TestServer, client};
use crate::outcome::Outcome;

/// How many memories an upload has.
const ROWS: usize = 1_000;
/// How long the imports may take after the last kill: what a killed server has begun is free after half a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much longer for each round: its rows have still to be stored.
const EACH: Duration = Duration::from_secs(4);

/// FLT-12: in each round an upload is sent, the server killed at another moment, and the upload repeated under its key.
pub async fn kills(rounds: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let mut server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    // Only processes that can be killed are left.
    server.halt().await;
    for round in 0..rounds {
        let victim = server.process(&[]).await;
        let upload = tokio::spawn(upload(victim.url.clone(), ada.clone(), round));
        let moment = 5 + 450 * round as u64 / rounds.max(1) as u64;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        victim.kill().await;
        let _ = upload.await;
        let next = server.process(&[]).await;
        assert!(upload_until_taken(&next.url, &ada, round).await, "the upload is never taken");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        next.kill().await;
    }
    let last = server.process(&[]).await;
    let began = Instant::now();
    let mut connection = PgConnection::connect(&server.database_url).await.expect("a connection");
    let mut found = distinct(&mut connection).await;
    let patience = PATIENCE + EACH * u32::try_from(rounds).unwrap_or(u32::MAX);
    while found < rounds * ROWS && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(200)).await;
        found = distinct(&mut connection).await;
    }
    let recovery = began.elapsed();
    // Whatever would still be stored twice is stored by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM memories").fetch_one(&mut connection).await.expect("a number");
    last.stop().await;
    let all = usize::try_from(all).expect("a count");
    let acknowledged = rounds * ROWS;
    Outcome {
        fault: "FLT-12 SIGKILL during imports",
        acknowledged,
        lost: acknowledged.saturating_sub(found),
        duplicated: all.saturating_sub(acknowledged),
        ..Outcome::default()
    }
    .recovered(recovery, patience)
}

/// Each row has a tag of its own, which the database can read.
async fn distinct(connection: &mut PgConnection) -> usize {
    let count: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT tags) FROM memories").fetch_one(connection).await.expect("a number");
    usize::try_from(count).expect("a count")
}

async fn upload(url: String, person: Person, round: usize) -> bool {
    let mut body = String::new();
    for row in 0..ROWS {
        writeln!(body, r#"{{"text": "round {round} row {row}", "tags": ["round-{round}-{row}"]}}"#).expect("a text");
    }
    let request = client().post(format!("{url}/api/memories/import")).bearer_auth(&person.token);
    let request = request.header("content-type", "application/x-ndjson").header("idempotency-key", format!("round-{round}"));
    request.body(body).send().await.is_ok_and(|response| response.status() == 202)
}

async fn upload_until_taken(url: &str, person: &Person, round: usize) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if upload(url.to_owned(), person.clone(), round).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}
