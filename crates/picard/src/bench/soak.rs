//! A server at half of what it can do, for long: what it holds must not grow (FLT-25).

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::bare_search::question;
use super::corpus;
use super::ground::Ground;
use super::server::{Embedding, Server};
use super::texts::{Kind, text};
use crate::postgres::databases::explain;
use crate::problem::Problem;
use crate::rest::{self, Credentials, Person, send};

/// People who work at the same time.
const WORKERS: u64 = 16;
/// How long the server is asked as fast as it answers, to find out how fast that is.
const PEAK: Duration = Duration::from_secs(20);
/// How often the figures are read.
const EVERY: Duration = Duration::from_secs(10);
/// What resident memory may grow by, as a share of what it was once everything had been used.
const MOST_GROWTH: f64 = 0.05;
/// How often the server deletes what has ended, and a minute for doing it.
const PURGE: Duration = Duration::from_secs(660);

/// What the server holds at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// In MiB.
    resident: f64,
    files: f64,
    connections: f64,
}

/// What all workers share.
struct Work {
    http: Client,
    url: String,
    credentials: Credentials,
    answered: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
}

/// Runs the soak and prints what has grown.
///
/// # Errors
/// A problem when something has, or when a request failed.
pub(super) async fn run(ground: &mut Ground, memories: u32, minutes: u64) -> Result<(), Problem> {
    let http = rest::client()?;
    let server = Server::start(ground, Embedding::Local).await?;
    let credentials = ground.credentials(&http, &server.url, Embedding::Local).await?;
    let username = format!("reader-of-{memories}");
    let reader = (Person::connect(&http, &server.url, &credentials, &username).await?, username);
    corpus::complete(ground, &reader, memories, &server.url).await?;
    let work = Work {
        http,
        url: server.url.clone(),
        credentials,
        answered: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    eprintln!("picard: looking for the peak");
    let peak = work.at_pace(&reader.0, None, PEAK).await? / PEAK.as_secs_f64();
    let pace = peak / 2.0;
    eprintln!("picard: {peak:.0} requests a second at most; {pace:.0} for {minutes} minutes");
    let mut database =
        PgConnection::connect(&ground.superuser_url(Embedding::Local)).await.map_err(|error| of_database(&error))?;
    let before = age(&mut database).await.map_err(|error| of_database(&error))?;
    let whole = Duration::from_secs(minutes * 60);
    let samples = async {
        let mut samples = Vec::new();
        while !work.is_over.load(Ordering::Relaxed) {
            samples.push(sample(&server, &mut database).await?);
            tokio::time::sleep(EVERY).await;
        }
        Ok::<_, Problem>(samples)
    };
    let working = async {
        let answered = work.at_pace(&reader.0, Some(pace), whole).await;
        work.is_over.store(true, Ordering::Relaxed);
        answered
    };
    let (samples, answered) = tokio::try_join!(samples, working)?;
    let left = at_the_end(&mut database, &before, whole > PURGE).await.map_err(|error| of_database(&error))?;
    server.stop().await;
    judge(&samples, answered, work.failed.load(Ordering::Relaxed), left)
}

impl Work {
    /// All workers until the time is over, at so many requests a second or as fast as they can; how many were answered.
    async fn at_pace(&self, reader: &Person, pace: Option<f64>, time: Duration) -> Result<f64, Problem> {
        let before = self.answered.load(Ordering::Relaxed);
        let workers = (0..WORKERS).map(|number| self.worker(reader, number, pace, time));
        try_join_all(workers).await?;
        Ok((self.answered.load(Ordering::Relaxed) - before) as f64)
    }

    async fn worker(&self, reader: &Person, number: u64, pace: Option<f64>, time: Duration) -> Result<(), Problem> {
        let writer = Person::connect(&self.http, &self.url, &self.credentials, &format!("soak-{number}")).await?;
        let mut refresh_token = self.tokens(&format!("soak-{number}")).await?;
        let began = Instant::now();
        let mut round = 0_u64;
        while began.elapsed() < time {
            if let Some(pace) = pace {
                // Every worker has its own turn in each round.
                let due = (round * WORKERS + number) as f64 / pace;
                tokio::time::sleep(Duration::from_secs_f64(due).saturating_sub(began.elapsed())).await;
            }
            let outcome = match round % 10 {
                0..4 => reader.call("query_memory", question(&text(Kind::Query, round * WORKERS + number))).await.map(|_| ()),
                4..6 => reader.call("get_memories", json!({ "limit": 20 })).await.map(|_| ()),
                6 | 7 => self.written_and_deleted(&writer, number, round).await,
                8 => reader.call("retrieve_memories", json!({ "limit": 5 })).await.map(|_| ()),
                _ => self.refreshed(&mut refresh_token).await,
            };
            match outcome {
                Ok(()) => self.answered.fetch_add(1, Ordering::Relaxed),
                Err(problem) => {
                    eprintln!("picard: {problem}");
                    self.failed.fetch_add(1, Ordering::Relaxed)
                }
            };
            round += 1;
        }
        Ok(())
    }

    async fn written_and_deleted(&self, writer: &Person, number: u64, round: u64) -> Result<(), Problem> {
        let key = format!("{number}-{round}-{}", crate::random::secret()?);
        let data = json!({ "text": text(Kind::Submitted, round * WORKERS + number), "idempotency_key": key });
        let stored = writer.call("submit_memory", data).await?;
        writer.call("delete_memory", json!({ "memory_id": stored["id"] })).await.map(|_| ())
    }

    /// A refresh token of somebody who connects.
    async fn tokens(&self, username: &str) -> Result<String, Problem> {
        let request = self.http.post(format!("{}/api/user-tokens/user-token", self.url)).json(&json!({
            "client_id": self.credentials.id, "client_secret": self.credentials.secret, "username": username,
        }));
        Ok(refresh_token_of(&send("connect", request).await?))
    }

    async fn refreshed(&self, token: &mut String) -> Result<(), Problem> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let request =
            self.http.post(format!("{}/token", self.url)).basic_auth(&self.credentials.id, Some(&self.credentials.secret));
        *token = refresh_token_of(&send("refresh a token", request.form(&form)).await?);
        Ok(())
    }
}

fn refresh_token_of(answer: &Value) -> String {
    answer["refresh_token"].as_str().unwrap_or_default().to_owned()
}

fn of_database(error: &sqlx::Error) -> Problem {
    explain("look at the bench's database", error)
}

/// Tables of what ends by itself.
const ENDING: [&str; 8] = [
    "grants",
    "refresh_tokens",
    "revoked_access_tokens",
    "authorization_codes",
    "sessions",
    "idempotency_keys",
    "rate_limits",
    "memory_deletions",
];

/// Makes rows of every kind as old as they have to be to be deleted, so that half an hour shows what months do, and counts
/// all. Those that nobody works with any more are there from looking for the peak; of what no worker makes, some are put in.
async fn age(database: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    for statement in [
        "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'",
        "UPDATE grants SET expires_at = now() - interval '3 days' WHERE user_id IN (SELECT id FROM users WHERE username ~ '^soak-[0-7]$')",
        "UPDATE refresh_tokens SET expires_at = now() - interval '1 hour' WHERE consumed_at IS NOT NULL",
        "INSERT INTO revoked_access_tokens (id, user_id, expires_at)
             SELECT gen_random_uuid(), user_id, now() - interval '2 hours' FROM grants",
        "INSERT INTO sessions (token_hash, user_id, expires_at)
             SELECT sha256(uuid_send(gen_random_uuid())), user_id, now() - interval '1 minute' FROM grants",
        "INSERT INTO authorization_codes
             (code_hash, user_id, client_id, redirect_uri, redirect_uri_given, scopes, code_challenge, audience, expires_at)
             SELECT sha256(uuid_send(gen_random_uuid())), user_id, client_id, '', true, '{}', repeat('a', 43), '', now() - interval '2 hours'
             FROM grants",
    ] {
        sqlx::query(statement).execute(&mut *database).await?;
    }
    rows(database).await
}

/// How many rows each table of what ends has.
async fn rows(database: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let mut rows = Vec::new();
    for table in ENDING {
        let statement = format!("SELECT count(*) FROM {table}");
        rows.push(sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&mut *database).await?);
    }
    Ok(rows)
}

/// Rows that ought to have been deleted before the last round.
async fn due(database: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let statement = "SELECT (SELECT count(*) FROM idempotency_keys WHERE created_at < now() - interval '24 hours 11 minutes')
        + (SELECT count(*) FROM rate_limits WHERE window_end < now() - interval '11 minutes')
        + (SELECT count(*) FROM memory_deletions WHERE deleted_at < now() - interval '2 hours 11 minutes')
        + (SELECT count(*) FROM revoked_access_tokens WHERE expires_at < now() - interval '1 hour 11 minutes')
        + (SELECT count(*) FROM refresh_tokens WHERE consumed_at IS NOT NULL AND expires_at < now() - interval '11 minutes')
        + (SELECT count(*) FROM sessions WHERE expires_at < now() - interval '11 minutes')
        + (SELECT count(*) FROM authorization_codes WHERE grant_id IS NULL AND expires_at < now() - interval '1 hour 11 minutes')
        + (SELECT count(*) FROM grants WHERE coalesce(revoked_at, expires_at) < now() - interval '2 days 11 minutes')";
    sqlx::query_scalar(statement).fetch_one(database).await
}

/// Prints how many rows there were and are, and counts those that ought to be gone, unless that is too early to tell.
async fn at_the_end(database: &mut PgConnection, before: &[i64], has_purged: bool) -> Result<Option<i64>, sqlx::Error> {
    let after = rows(database).await?;
    println!("{:<34}{:>12}{:>12}", "rows", "begin", "end");
    for (table, (before, after)) in ENDING.iter().zip(before.iter().zip(&after)) {
        println!("{table:<34}{before:>12}{after:>12}");
    }
    if has_purged { due(database).await.map(Some) } else { Ok(None) }
}

async fn sample(server: &Server, database: &mut PgConnection) -> Result<Sample, Problem> {
    let statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let connections: i64 = sqlx::query_scalar(statement).fetch_one(database).await.map_err(|error| of_database(&error))?;
    let missing = || Problem::new("this system does not tell what a process holds; the soak needs Linux");
    let files = server.id().and_then(|id| fs::read_dir(format!("/proc/{id}/fd")).ok()).ok_or_else(missing)?.count();
    let resident = server.resident_bytes().ok_or_else(missing)? / f64::from(1 << 20);
    Ok(Sample { resident, files: files as f64, connections: connections as f64 })
}

/// Compares the last quarter with the second: in the first one caches and the allocator fill.
fn judge(samples: &[Sample], answered: f64, failed: u64, left: Option<i64>) -> Result<(), Problem> {
    let quarter = samples.len() / 4;
    if quarter == 0 {
        return Err(Problem::new("the soak was too short to compare anything").advice("give it more minutes"));
    }
    let (early, late) = (&samples[quarter..2 * quarter], &samples[samples.len() - quarter..]);
    let mean = |samples: &[Sample], of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    let mut wrong = Vec::new();
    println!("{:<34}{:>12}{:>12}", "held by picard-server", "second", "last quarter");
    let means = |of: fn(&Sample) -> f64| (mean(early, of), mean(late, of));
    let rows = [
        ("resident memory, MiB", means(|sample| sample.resident)),
        ("open files", means(|sample| sample.files)),
        ("connections to PostgreSQL", means(|sample| sample.connections)),
    ];
    for (name, (before, after)) in rows {
        println!("{name:<34}{before:>12.1}{after:>12.1}");
        if after > before * (1.0 + MOST_GROWTH) + 0.5 {
            wrong.push(format!("{name}: {before:.1} have become {after:.1}"));
        }
    }
    println!("{answered:.0} requests were answered, {failed} failed");
    match left {
        Some(0) => println!("no row of tokens, limits and keys of calls is there that should have been deleted"),
        Some(left) => wrong.push(format!("{left} rows should have been deleted")),
        None => println!("deleting what has ended was not looked at: that takes more than eleven minutes"),
    }
    if failed > 0 {
        wrong.push(format!("{failed} requests failed"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Problem::new(wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(resident: impl Fn(u32) -> f64) -> Vec<Sample> {
        (0..40).map(|moment| Sample { resident: resident(moment), files: 40.0, connections: 16.0 }).collect()
    }

    #[test]
    fn a_server_that_grows_is_a_problem_flt_25() {
        let warming = samples(|moment| if moment < 10 { 50.0 + f64::from(moment) * 5.0 } else { 100.0 });
        let growing = samples(|moment| 100.0 + f64::from(moment));

        assert!(judge(&warming, 1.0, 0, Some(0)).is_ok());
        assert!(judge(&growing, 1.0, 0, Some(0)).is_err(), "FLT-25");
        assert!(judge(&warming, 1.0, 1, Some(0)).is_err() && judge(&warming, 1.0, 0, Some(3)).is_err());
    }
}
