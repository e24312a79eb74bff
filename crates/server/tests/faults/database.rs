//! Faults of PostgreSQL.

use std::time::{Duration, Instant};

use picard_crypto::hash_token;
use serde_json::json;
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

/// FLT-07: a write and another transaction wait for each other until PostgreSQL ends one of them; meanwhile others change
/// the same few memories in opposite order. The answer is a success, or asks to try again, and never 500.
pub async fn deadlocks(cycles: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let load = Load::begin(&server.url, &ada, 4);
    let (first, second) = (server.remember(&bob, "first").await, server.remember(&bob, "second").await);
    let mut other = PgConnection::connect(&postgres.url("picard")).await.expect("a connection");
    let mut wrong = Vec::new();
    for cycle in 0..cycles {
        let key = format!("crossing-{cycle}");
        let call = json!({ "tool": "update_memory", "data": { "memory_id": first, "text": format!("first {cycle}") } });
        let send = || server.post("/api/tools").bearer_auth(&bob.token).header("idempotency-key", &key).json(&call).send();
        let mut transaction = other.begin().await.expect("a transaction");
        let lock = sqlx::query("SELECT 1 FROM memories WHERE id::text = $1 FOR UPDATE").bind(&first);
        lock.execute(&mut *transaction).await.expect("a lock");
        let crossing = async {
            // By now the write has its key and waits for the memory.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let insert = "INSERT INTO idempotency_keys (user_id, key_hash, request_hash) VALUES ($1::uuid, $2, $3)";
            let insert = sqlx::query(insert).bind(&bob.user_id).bind(hash_token(&key).to_vec()).bind(vec![0_u8; 32]);
            // Whichever of the two PostgreSQL has chosen, the other goes on.
            let _ = insert.execute(&mut *transaction).await;
            transaction.rollback().await.expect("an end");
        };
        let (answer, ()) = tokio::join!(send(), crossing);
        let status = answer.expect("an answer").status().as_u16();
        if ![200, 409, 503].contains(&status) {
            wrong.push(format!("a deadlock was answered with {status}"));
        }
        let again = send().await.expect("an answer").status();
        if again != 200 {
            wrong.push(format!("after a deadlock the same call was answered with {again}"));
        }
    }
    let update = |number: usize| {
        let id = if number.is_multiple_of(2) { &first } else { &second };
        let data = match number % 4 {
            0 | 3 => json!({ "tool": "update_memory", "data": { "memory_id": id, "text": format!("text {number}") } }),
            _ => json!({ "tool": "modify_permissions", "data": { "memory_id": id, "permission": "public" } }),
        };
        server.post("/api/tools").bearer_auth(&bob.token).json(&data).send()
    };
    for answer in futures_util::future::join_all((0..64).map(update)).await {
        let status = answer.expect("an answer").status().as_u16();
        if ![200, 409, 412, 503].contains(&status) {
            wrong.push(format!("a change among many was answered with {status}"));
        }
    }
    let written = load.end().await;
    let mut outcome = Outcome::of("FLT-07 transactions that cross", &server.database_url, &ada, written).await;
    outcome.wrong.extend(wrong);
    outcome
}
