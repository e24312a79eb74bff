//! Faults of the provider of embeddings.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::kit::provider::Mood;
use crate::load::Load;
use crate::outcome::Outcome;

/// How long the queue may take to drain after the last fault.
const DRAIN: Duration = Duration::from_secs(90);

/// FLT-08 to FLT-10: writes go on whatever the provider does, and everything is embedded in the end, once.
pub async fn faults() -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &["--embedding-budget-ms", "200"]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 4);
    for mood in [Mood::Failing, Mood::Busy, Mood::Nonsense, Mood::WrongDimension, Mood::Silent] {
        server.provider.set(mood);
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    let written = load.end().await;
    server.provider.set(Mood::Well);
    let began = Instant::now();
    let mut connection = PgConnection::connect(&server.database_url).await.expect("a connection");
    let mut waiting = number(&mut connection, "SELECT count(*) FROM embedding_jobs").await;
    while waiting > 0 && began.elapsed() < DRAIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting = number(&mut connection, "SELECT count(*) FROM embedding_jobs").await;
    }
    let drained = began.elapsed();
    let twice = "SELECT count(*) - count(DISTINCT memory_id) FROM memory_embeddings WHERE position = 0";
    let without = "SELECT count(*) FROM memories m WHERE NOT EXISTS (SELECT FROM memory_embeddings e WHERE e.memory_id = m.id)";
    let (twice, without) = (number(&mut connection, twice).await, number(&mut connection, without).await);
    let mut outcome = Outcome::of("FLT-08..10 provider of embeddings", &server.database_url, &ada, written).await;
    if waiting + twice + without > 0 {
        outcome.wrong.push(format!("{waiting} wait, {without} have no embedding, {twice} have two"));
    }
    if outcome.slowest > Duration::from_secs(2) {
        outcome.wrong.push(format!("a write waited for {:?} for its embedding", outcome.slowest));
    }
    outcome.recovered(drained, DRAIN)
}

async fn number(connection: &mut PgConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(connection).await.expect("a number")
}
