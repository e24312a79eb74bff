//! Programs are killed in the middle of work that must not be left half done.

use std::time::{Duration, Instant};

use picard_crypto::{ExposeSecret as _, FernetKey};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::kit::postgres::Postgres;
use crate::kit::provider::Mood;
use crate::kit::{TestServer, client};
use crate::outcome::Outcome;
use crate::programs::kill_command;

/// How many people have keys of their own.
const PEOPLE: usize = 40;
/// How many texts wait for their embeddings.
const TEXTS: usize = 600;
/// How long what was cut off may take to be finished by the next.
const PATIENCE: Duration = Duration::from_secs(60);

/// Later each time: from the start of the program to the end of its work.
fn moment(kill: usize, kills: usize) -> Duration {
    Duration::from_millis(40 + 600 * kill as u64 / kills.max(1) as u64)
}

/// FLT-13: `rotate-keys` goes on where it was killed, and every text can be read with the new key alone.
pub async fn during_key_rotation(kills: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let person = server.sign_in(&format!("person-{number}")).await;
        let id = server.remember(&person, &format!("My tea is number {number}.")).await;
        people.push((person, id));
    }
    let new = FernetKey::generate().encode().expose_secret().to_owned();
    let both = format!("{new},{}", server.key());
    let rotate = ["--encryption-keys", &both, "rotate-keys"];
    for kill in 0..kills {
        kill_command(&server, &rotate, moment(kill, kills)).await;
    }
    let began = Instant::now();
    let (is_done, said) = server.command(&rotate).await;
    let recovery = began.elapsed();
    let mut wrong = Vec::new();
    if !is_done || !said.contains("remaining: 0") {
        wrong.push(format!("the keys were not all wrapped: {said}"));
    }
    let only_new = server.process(&["--encryption-keys", &new]).await;
    let mut readable = 0;
    for (number, (person, id)) in people.iter().enumerate() {
        let call = json!({ "tool": "get_memory", "data": { "memory_id": id } });
        let request = client().post(format!("{}/api/tools", only_new.url)).bearer_auth(&person.token).json(&call);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        readable += usize::from(answer["data"]["text"] == format!("My tea is number {number}."));
    }
    only_new.stop().await;
    let outcome = Outcome { acknowledged: PEOPLE, lost: PEOPLE - readable, wrong, ..Outcome::default() };
    Outcome { fault: "FLT-13 SIGKILL during rotate-keys", ..outcome }.recovered(recovery, PATIENCE)
}

/// FLT-13: a migration that was killed leaves no lock and nothing half done behind. What is counted are migrations.
pub async fn during_migrations(kills: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let mut connection = PgConnection::connect(&server.database_url).await.expect("a connection");
    let applied = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    let wanted: i64 = sqlx::query_scalar(applied).fetch_one(&mut connection).await.expect("a number");
    sqlx::raw_sql("CREATE DATABASE other").execute(&mut connection).await.expect("a database");
    let other = postgres.url("other");
    let migrate = ["--database-url", &other, "migrate"];
    for kill in 0..kills {
        kill_command(&server, &migrate, moment(kill, kills)).await;
    }
    let began = Instant::now();
    let (is_done, said) = server.command(&migrate).await;
    let recovery = began.elapsed();
    let mut connection = PgConnection::connect(&other).await.expect("a connection");
    let found: i64 = sqlx::query_scalar(applied).fetch_one(&mut connection).await.unwrap_or_default();
    let wrong = if is_done { Vec::new() } else { vec![format!("the migration does not go on: {said}")] };
    let count = |number: i64| usize::try_from(number).expect("a count");
    Outcome {
        fault: "FLT-13 SIGKILL during migrations",
        acknowledged: count(wanted),
        lost: count((wanted - found).max(0)),
        wrong,
        ..Outcome::default()
    }
    .recovered(recovery, PATIENCE)
}

/// FLT-13: what a killed worker had taken is taken over, and every text is embedded once.
pub async fn during_embedding(kills: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let mut server = TestServer::spawn_at(postgres.url("picard"), &["--embedding-budget-ms", "50"]).await;
    let ada = server.sign_in("ada").await;
    server.provider.set(Mood::Failing);
    let texts: Vec<Value> = (0..TEXTS).map(|number| json!({ "text": format!("text number {number}") })).collect();
    server.call(&ada, "submit_memories", json!({ "memories": texts })).await;
    server.halt().await;
    server.provider.set(Mood::Well);
    let mut connection = PgConnection::connect(&server.database_url).await.expect("a connection");
    let mut wrong = Vec::new();
    for kill in 0..kills {
        // As if the leases were over, so that nobody has to wait for that.
        sqlx::query("UPDATE embedding_jobs SET run_after = now()").execute(&mut connection).await.expect("a change");
        let victim = server.process(&[]).await;
        tokio::time::sleep(Duration::from_millis(20 + 30 * kill as u64)).await;
        victim.kill().await;
        let late = "SELECT count(*) FROM embedding_jobs WHERE run_after > now() + interval '61 seconds'";
        let late = number(&mut connection, late).await;
        if late > 0 {
            wrong.push(format!("{late} texts belong to a killed worker for more than a minute"));
        }
    }
    // A statement of the last victim may still be running, and take texts after their leases were ended.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while number(&mut connection, others).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sqlx::query("UPDATE embedding_jobs SET run_after = now()").execute(&mut connection).await.expect("a change");
    let last = server.process(&[]).await;
    let began = Instant::now();
    while number(&mut connection, "SELECT count(*) FROM embedding_jobs").await > 0 && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recovery = began.elapsed();
    last.stop().await;
    let embedded = number(&mut connection, "SELECT count(DISTINCT memory_id) FROM memory_embeddings WHERE position = 0").await;
    let all = number(&mut connection, "SELECT count(*) FROM memory_embeddings WHERE position = 0").await;
    Outcome {
        fault: "FLT-13 SIGKILL during embedding",
        acknowledged: TEXTS,
        lost: TEXTS.saturating_sub(embedded),
        duplicated: all - embedded,
        wrong,
        ..Outcome::default()
    }
    .recovered(recovery, PATIENCE)
}

async fn number(connection: &mut PgConnection, statement: &'static str) -> usize {
    let count: i64 = sqlx::query_scalar(statement).fetch_one(connection).await.expect("a number");
    usize::try_from(count).expect("a count")
}
