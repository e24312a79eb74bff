//! Batches of memories, and searches of long vectors, with a provider that costs next to nothing.

use std::collections::HashSet;
use std::future::Future;
use std::time::{Duration, Instant};

use pgvector::HalfVector;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::bare_search::BareSearch;
use super::corpus::{tidy_up, until_embedded};
use super::figures::Figures;
use super::ground::Ground;
use super::limits::Limits;
use super::provider::Provider;
use super::report::{Measurement, Target, Unit};
use super::server::{Embedding, Server};
use super::texts::{Kind, text};
use crate::postgres::databases::{explain, run};
use crate::problem::Problem;
use crate::rest::Person;

/// Which database: the port makes no difference.
const LONG: Embedding = Embedding::Provider { port: 0 };
/// How many memories a batch has.
const BATCH: u64 = 1_000;
/// How many batches are compared.
const BATCHES: u64 = 10;
/// Storing a batch may take so many times as long as inserting the same rows without anything.
const BATCH_TARGET: f64 = 2.0;
/// Copies of the tables with their indexes, of which nothing refers to another.
const MAKE_COPIES: &str = "CREATE TABLE bench_memories (LIKE memories INCLUDING ALL); \
    CREATE TABLE bench_words (LIKE memory_words INCLUDING ALL); CREATE TABLE bench_jobs (LIKE embedding_jobs INCLUDING ALL)";
const DROP_COPIES: &str = "DROP TABLE IF EXISTS bench_memories, bench_words, bench_jobs";
/// What the search's statement may take, in milliseconds.
const SEARCH_TARGET: f64 = 15.0;
/// How many searches are compared with exact ones.
const COMPARED: u64 = 50;

/// Measures all of it at a server of its own.
pub(super) async fn measure(
    ground: &mut Ground,
    http: &Client,
    memories: u32,
    seconds: Duration,
) -> Result<Vec<Measurement>, Problem> {
    let provider = Provider::start().await?;
    let embedding = Embedding::Provider { port: provider.port };
    let server = Server::start(ground, embedding).await?;
    let credentials = ground.credentials(http, &server.url, embedding).await?;
    let ground = &*ground;
    let connect = async |name: &str| Person::connect(http, &server.url, &credentials, name).await;
    let batches = measure_batches(ground, &connect("writer-of-batches").await?, &server.url).await?;
    let reader = connect(&format!("reader-of-{memories}-long")).await?;
    complete(ground, &reader, memories, &server.url).await?;
    let model = format!("bench@{}", super::provider::DIMENSIONS);
    let mut search = BareSearch::prepare(ground, LONG, &reader, &model).await?;
    let searches = measure_searches(ground, (&mut search, &model), &provider, seconds).await?;
    eprintln!("picard: measuring against limits, with a provider that costs next to nothing");
    let writer = connect("writer-at-limits").await?;
    let limits =
        Limits { ground, embedding: LONG, provider: &provider, server: &server, reader: &reader, writer: &writer, seconds };
    let against_limits = with_copies(ground, &writer, limits.measure(&mut search)).await?;
    server.stop().await;
    Ok(std::iter::once(batches).chain(searches).chain(against_limits).collect())
}

/// Makes the copies of the tables before the work and drops them afterwards, together with what the writer has stored.
async fn with_copies<T>(ground: &Ground, writer: &Person, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let failed = |error: sqlx::Error| explain("make tables for the bench", &error);
    let mut connection = PgConnection::connect(&ground.superuser_url(LONG)).await.map_err(failed)?;
    run(&mut connection, format!("{DROP_COPIES}; {MAKE_COPIES}; GRANT ALL ON bench_memories TO PUBLIC")).await.map_err(failed)?;
    let done = work.await;
    run(&mut connection, DROP_COPIES.to_owned()).await.map_err(failed)?;
    forget(&mut connection, writer).await?;
    done
}

/// Deletes all memories of a person.
async fn forget(connection: &mut PgConnection, person: &Person) -> Result<(), Problem> {
    let id = Uuid::parse_str(&person.id).map_err(|error| Problem::from_error("read the id that the server gave", &error))?;
    let deleted = sqlx::query("DELETE FROM memories WHERE user_id = $1").bind(id).execute(connection).await;
    deleted.map(|_| ()).map_err(|error| explain("delete the bench's memories", &error))
}

async fn measure_batches(ground: &Ground, writer: &Person, server_url: &str) -> Result<Measurement, Problem> {
    let failed = |error: sqlx::Error| explain("insert rows without the server", &error);
    let mut bare = PgConnection::connect(&ground.superuser_url(LONG)).await.map_err(failed)?;
    run(&mut bare, format!("{DROP_COPIES}; {MAKE_COPIES}")).await.map_err(failed)?;
    let (mut bare_times, mut whole_times) = (Vec::new(), Vec::new());
    for number in 0..=BATCHES {
        let texts: Vec<String> = (0..BATCH).map(|row| text(Kind::Submitted, number * BATCH + row)).collect();
        let began = Instant::now();
        insert(&mut bare, &texts).await.map_err(failed)?;
        let bare_time = began.elapsed();
        let rows: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
        let began = Instant::now();
        writer.call("submit_memories", json!({ "memories": rows })).await?;
        let whole_time = began.elapsed();
        until_embedded(server_url).await?;
        // The first one opens connections and plans statements.
        if number > 0 {
            bare_times.push(bare_time);
            whole_times.push(whole_time);
        }
    }
    run(&mut bare, DROP_COPIES.to_owned()).await.map_err(failed)?;
    forget(&mut bare, writer).await?;
    let ratios = bare_times.iter().zip(&whole_times).map(|(bare, whole)| whole.as_secs_f64() / bare.as_secs_f64()).collect();
    let times = (Figures::of_times(&bare_times), Figures::of_times(&whole_times));
    Ok(Measurement::ratio(
        "submit_memories of 1,000, against inserting the same rows",
        times,
        Figures::of(ratios),
        Target::AtMost(BATCH_TARGET),
    ))
}

/// One statement with all rows of all tables; the text is as long as a sealed one.
async fn insert(connection: &mut PgConnection, texts: &[String]) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = texts.iter().map(|_| Uuid::new_v4()).collect();
    let sealed: Vec<String> = texts.iter().map(|text| "x".repeat((text.len() + 41 + 73) * 4 / 3)).collect();
    let counts: Vec<i32> = texts.iter().map(|text| i32::try_from(text.split(' ').count()).unwrap_or(i32::MAX)).collect();
    let hash =
        |word: &str| word.bytes().fold(0_i64, |hash, byte| hash.wrapping_mul(0x100_0000_01b3).wrapping_add(i64::from(byte)));
    let words: Vec<i64> = texts.iter().flat_map(|text| text.split(' ')).map(hash).collect();
    sqlx::query(
        "WITH input AS (
             SELECT r.id, r.ciphertext, sum(r.count) OVER (ORDER BY r.number)::int AS words_end, r.count
             FROM unnest($2::uuid[], $3::text[], $4::int[]) WITH ORDINALITY AS r (id, ciphertext, count, number)
         ), m AS (
             INSERT INTO bench_memories (id, user_id, ciphertext, permission, created_at, updated_at)
             SELECT id, $1, ciphertext, 'private', now(), now() FROM input
         ), w AS (
             INSERT INTO bench_words (memory_id, user_id, length, words, counts)
             SELECT id, $1, count, ($5::bigint[])[words_end - count + 1:words_end], array_fill(1::smallint, ARRAY[count]) FROM input
         )
         INSERT INTO bench_jobs (memory_id, user_id) SELECT id, $1 FROM input",
    )
    .bind(Uuid::nil())
    .bind(ids)
    .bind(sealed)
    .bind(counts)
    .bind(words)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Adds what is missing until the person has so many memories.
async fn complete(ground: &Ground, reader: &Person, wanted: u32, server_url: &str) -> Result<(), Problem> {
    let answer = reader.call("retrieve_memories", json!({ "limit": 1 })).await?;
    let mut there = answer["total"].as_u64().unwrap_or_default();
    while there < u64::from(wanted) {
        let end = (there + BATCH).min(u64::from(wanted));
        let rows: Vec<Value> = (there..end).map(|number| json!({ "text": text(Kind::Kept, number) })).collect();
        reader.call("submit_memories", json!({ "memories": rows })).await?;
        there = end;
    }
    until_embedded(server_url).await?;
    tidy_up(&ground.superuser_url(LONG)).await.map_err(|error| explain("analyze the bench's database", &error))
}

async fn measure_searches(
    ground: &Ground,
    (search, model): (&mut BareSearch, &str),
    provider: &Provider,
    seconds: Duration,
) -> Result<[Measurement; 2], Problem> {
    let failed = |error: sqlx::Error| explain("search exactly", &error);
    let mut exact = PgConnection::connect(&ground.superuser_url(LONG)).await.map_err(failed)?;
    let mut missed = Vec::new();
    for number in 0..COMPARED {
        let vector = provider.vector(&text(Kind::Query, number));
        let found: HashSet<Uuid> = search.ids(&vector).await?.into_iter().take(10).collect();
        let nearest: Vec<Uuid> = sqlx::query_scalar(
            "SELECT memory_id FROM memory_embeddings WHERE user_id = $1 AND model = $2 ORDER BY (embedding <=> $3) + 0 LIMIT 10",
        )
        .bind(search.owner)
        .bind(model)
        .bind(HalfVector::from_f32_slice(&vector))
        .fetch_all(&mut exact)
        .await
        .map_err(failed)?;
        let lost = nearest.iter().filter(|id| !found.contains(id)).count();
        missed.push(100.0 * f64::from(u32::try_from(lost).unwrap_or(u32::MAX)) / 10.0);
    }
    let mut times = Vec::new();
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < seconds || number < 10 {
        let vector = provider.vector(&text(Kind::Query, number));
        let time = search.time(&vector).await?;
        if number >= 10 {
            times.push(time);
        }
        number += 1;
    }
    Ok([
        Measurement::plain(
            "own search, 1,536 numbers, the statement alone",
            (Unit::Milliseconds, Figures::of_times(&times)),
            Target::AtMost(SEARCH_TARGET),
        ),
        Measurement::plain(
            "  of the ten nearest, missed by comparing signs first",
            (Unit::Percent, Figures::of(missed)),
            Target::AtMost(0.0),
        ),
    ])
}
