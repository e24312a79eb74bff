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

use super::BenchArguments;
use super::bare_search::{BareSearch, question};
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

/// How many memories a batch has.
const BATCH: u64 = 1_000;
/// How many batches are compared.
const BATCHES: u64 = 10;
/// Storing a batch may take so many times as long as inserting the same rows without anything.
const BATCH_TARGET: f64 = 2.0;
/// Copies of the tables with their indexes, of which nothing refers to another.
const MAKE_COPIES: &str = "CREATE TABLE bench_memories (LIKE memories INCLUDING ALL); \
    CREATE TABLE bench_words (LIKE memory_words INCLUDING ALL); CREATE TABLE bench_jobs (LIKE embedding_jobs INCLUDING ALL); \
    CREATE TABLE bench_embeddings (LIKE memory_embeddings INCLUDING ALL)";
const DROP_COPIES: &str = "DROP TABLE IF EXISTS bench_memories, bench_words, bench_jobs, bench_embeddings";
/// What a search through up to 100,000 memories may take, in milliseconds: with short vectors, and with long ones.
const SEARCH_TARGETS: (f64, f64) = (25.0, 40.0);
/// How many memories a search asks for.
const WANTED: usize = 10;
/// How many searches are compared with exact ones.
const COMPARED: u64 = 50;

/// Measures all of it at a server of its own.
pub(super) async fn measure(ground: &mut Ground, http: &Client, arguments: &BenchArguments) -> Result<Vec<Measurement>, Problem> {
    let (memories, seconds) = (arguments.memories, Duration::from_secs(arguments.seconds));
    let provider = Provider::start(arguments.dimensions).await?;
    let embedding = Embedding::Provider { port: provider.port, dimensions: arguments.dimensions, people: 0 };
    ground.prepare_database(embedding).await?;
    let server = Server::start(ground, embedding).await?;
    let credentials = ground.credentials(http, &server.url, embedding).await?;
    let ground = &*ground;
    let connect = async |name: &str| Person::connect(http, &server.url, &credentials, name).await;
    let batches = measure_batches(ground, embedding, &connect("writer-of-batches").await?, &server.url).await?;
    let reader = connect(&format!("reader-of-{memories}-long")).await?;
    complete((ground, embedding), &reader, memories, &server.url).await?;
    let model = format!("bench@{}", arguments.dimensions);
    let mut search = BareSearch::prepare(ground, embedding, &reader, &model).await?;
    let searches = measure_searches((ground, embedding), (&mut search, &model), (&provider, &reader), seconds).await?;
    eprintln!("picard: measuring against limits, with a provider that costs next to nothing");
    let writer = connect("writer-at-limits").await?;
    let limits = Limits { ground, embedding, provider: &provider, server: &server, reader: &reader, writer: &writer, seconds };
    let against_limits = with_copies((ground, embedding), &writer, limits.measure(&mut search)).await?;
    server.stop().await;
    Ok(std::iter::once(batches).chain(searches).chain(against_limits).collect())
}

/// Makes the copies of the tables before the work and drops them afterwards, together with what the writer has stored.
async fn with_copies<T>(
    (ground, embedding): (&Ground, Embedding),
    writer: &Person,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let failed = |error: sqlx::Error| explain("make tables for the bench", &error);
    let mut connection = PgConnection::connect(&ground.superuser_url(embedding)).await.map_err(failed)?;
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

async fn measure_batches(
    ground: &Ground,
    embedding: Embedding,
    writer: &Person,
    server_url: &str,
) -> Result<Measurement, Problem> {
    let failed = |error: sqlx::Error| explain("insert rows without the server", &error);
    let mut bare = PgConnection::connect(&ground.superuser_url(embedding)).await.map_err(failed)?;
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
async fn complete(
    (ground, embedding): (&Ground, Embedding),
    reader: &Person,
    wanted: u32,
    server_url: &str,
) -> Result<(), Problem> {
    let answer = reader.call("retrieve_memories", json!({ "limit": 1 })).await?;
    let mut there = answer["total"].as_u64().unwrap_or_default();
    while there < u64::from(wanted) {
        let end = (there + BATCH).min(u64::from(wanted));
        let rows: Vec<Value> = (there..end).map(|number| json!({ "text": text(Kind::Kept, number) })).collect();
        reader.call("submit_memories", json!({ "memories": rows })).await?;
        there = end;
    }
    until_embedded(server_url).await?;
    tidy_up(&ground.superuser_url(embedding)).await.map_err(|error| explain("analyze the bench's database", &error))
}

async fn measure_searches(
    (ground, embedding): (&Ground, Embedding),
    (search, model): (&mut BareSearch, &str),
    (provider, reader): (&Provider, &Person),
    seconds: Duration,
) -> Result<[Measurement; 4], Problem> {
    let mut exact = Exact::connect(&ground.superuser_url(embedding), search.owner, model).await?;
    let (mut missed_by_statement, mut missed) = (Vec::new(), Vec::new());
    for number in 0..COMPARED {
        let query = text(Kind::Query, number);
        let vector = provider.vector(&query);
        let nearest = exact.nearest(&vector).await?;
        let by_statement: Vec<Uuid> = search.ids(&vector).await?.into_iter().take(WANTED).collect();
        missed_by_statement.push(share_missed(&nearest, &by_statement));
        missed.push(share_missed(&nearest, &found(reader, &query).await?));
    }
    let (mut times, mut whole) = (Vec::new(), Vec::new());
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < seconds * 2 || number < 10 {
        let query = text(Kind::Query, COMPARED + number);
        let time = search.time(&provider.vector(&query)).await?;
        let start = Instant::now();
        found(reader, &query).await?;
        if number >= 10 {
            times.push(time);
            whole.push(start.elapsed());
        }
        number += 1;
    }
    let is_long = provider.dimensions() > 512;
    let milliseconds = |times: &[Duration]| (Unit::Milliseconds, Figures::of_times(times));
    let percent = |shares| (Unit::Percent, Figures::of_mean(shares));
    let most = Target::AtMost(if is_long { SEARCH_TARGETS.1 } else { SEARCH_TARGETS.0 });
    Ok([
        Measurement::plain("own search, the statement alone", milliseconds(&times), Target::None),
        Measurement::plain("  of the ten nearest, missed by it", percent(missed_by_statement), Target::AtMost(1.0)),
        Measurement::plain("own search (semantic), query_memory, one client", milliseconds(&whole), most),
        Measurement::plain("  of the ten nearest, missed by it", percent(missed), Target::AtMost(1.0)),
    ])
}

/// What the server finds, by meaning.
async fn found(reader: &Person, query: &str) -> Result<Vec<Uuid>, Problem> {
    let answer = reader.call("query_memory", question(query)).await?;
    let ids = answer["memories"].as_array().into_iter().flatten().filter_map(|memory| memory["id"].as_str());
    Ok(ids.filter_map(|id| Uuid::parse_str(id).ok()).collect())
}

/// How many of the nearest were not found, in per cent.
fn share_missed(nearest: &[Uuid], found: &[Uuid]) -> f64 {
    let found: HashSet<&Uuid> = found.iter().collect();
    let lost = nearest.iter().filter(|id| !found.contains(id)).count();
    100.0 * lost as f64 / nearest.len().max(1) as f64
}

/// Every vector of a person compared, without any index.
struct Exact<'a> {
    connection: PgConnection,
    owner: Uuid,
    model: &'a str,
}

impl<'a> Exact<'a> {
    async fn connect(url: &str, owner: Uuid, model: &'a str) -> Result<Self, Problem> {
        let connection = PgConnection::connect(url).await.map_err(|error| explain("search exactly", &error))?;
        Ok(Self { connection, owner, model })
    }

    async fn nearest(&mut self, vector: &[f32]) -> Result<Vec<Uuid>, Problem> {
        let nearest = sqlx::query_scalar(
            "SELECT memory_id FROM memory_embeddings WHERE user_id = $1 AND model = $2 ORDER BY (embedding <=> $3) + 0 LIMIT 10",
        )
        .bind(self.owner)
        .bind(self.model)
        .bind(HalfVector::from_f32_slice(vector))
        .fetch_all(&mut self.connection)
        .await;
        nearest.map_err(|error| explain("search exactly", &error))
    }
}
