//! Faults of PostgreSQL.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;

/// How many writers there are at a time.
const WRITERS: usize = 8;
/// From the database's return to the first success.
const RECOVERY: Duration = Duration::from_secs(2);

/// FLT-01, FLT-02: the whole cluster is killed, in turns by an immediate shutdown and by losing its main process.
pub async fn restarts(cycles: usize) -> Outcome {
    let mut postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, WRITERS);
    let mut slowest = Duration::ZERO;
    for cycle in 0..cycles {
        tokio::time::sleep(Duration::from_millis(400)).await;
        postgres.signal(if cycle % 2 == 0 { "QUIT" } else { "KILL" }).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        postgres.start().await;
        slowest = slowest.max(load.until_success().await);
    }
    let written = load.end().await;
    Outcome::of("FLT-02 PostgreSQL killed and restarted", &server.database_url, &ada, written).await.recovered(slowest, RECOVERY)
}

/// FLT-01: connections end in the middle of what they do.
pub async fn lost_backends(cycles: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, WRITERS);
    let mut connection = PgConnection::connect(&postgres.url("picard")).await.expect("a connection");
    let mut slowest = Duration::ZERO;
    for _ in 0..cycles {
        tokio::time::sleep(Duration::from_millis(150)).await;
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'picard-server'")
            .execute(&mut connection)
            .await
            .expect("they end");
        slowest = slowest.max(load.until_success().await);
    }
    let written = load.end().await;
    Outcome::of("FLT-01 connections terminated", &server.database_url, &ada, written).await.recovered(slowest, RECOVERY)
}

/// FLT-04: every connection of the pool waits for a lock.
pub async fn locks() -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &["--database-max-connections", "5"]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 100);
    load.until_success().await;
    let mut connection = PgConnection::connect(&postgres.url("picard")).await.expect("a connection");
    let mut transaction = connection.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE memories IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.expect("a lock");
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        let alive = server.get("/health/liveness").send().await.expect("an answer");
        assert_eq!(alive.status(), 200);
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    transaction.rollback().await.expect("an end");
    let recovery = load.until_success().await;
    let written = load.end().await;
    let mut outcome = Outcome::of("FLT-04 pool of 5, table locked for 4 s", &server.database_url, &ada, written).await;
    if slowest > Duration::from_millis(500) {
        outcome.wrong.push(format!("the server said after {slowest:?} that it is alive"));
    }
    if outcome.slowest > Duration::from_secs(10) {
        outcome.wrong.push(format!("a request waited for {:?}", outcome.slowest));
    }
    outcome.recovered(recovery, Duration::from_secs(1))
}
