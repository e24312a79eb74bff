//! Picard against what the machine can do at most: a bare route, and PostgreSQL's own load tool with the same work.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use serde_json::json;
use tokio::task::JoinHandle;

use super::bare_search::{BareSearch, question};
use super::comparison::{Clock, Pairs, take_turns};
use super::figures::Figures;
use super::ground::Ground;
use super::load::{Load, call, get};
use super::pgbench::PgBench;
use super::provider::Provider;
use super::report::{Measurement, Target, Unit};
use super::server::{Embedding, Server};
use super::texts::{Kind, text};
use crate::problem::Problem;
use crate::rest::Person;

/// Clients at the same time.
const CLIENTS: usize = 16;
/// Both sides take so many turns.
const ROUNDS: u32 = 5;
/// So many different searches.
const STATEMENTS: u64 = 40;
/// A row as `submit_memory` stores one, and nothing besides.
const INSERT: &str = "INSERT INTO bench_memories (id, user_id, ciphertext, permission, created_at, updated_at) \
    VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', repeat('x', 340), 'private', now(), now())";

/// All three rows of a memory, in one statement.
const INSERT_ALL: &str = "WITH m AS ( \
        INSERT INTO bench_memories (id, user_id, ciphertext, permission, created_at, updated_at) \
        VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', repeat('x', 340), 'private', now(), now()) \
        RETURNING id, user_id \
    ), w AS ( \
        INSERT INTO bench_words (memory_id, user_id, length, words, counts) \
        SELECT id, user_id, 22, (SELECT array_agg((random() * 1e15)::bigint) FROM generate_series(1, 22)), array_fill(1::smallint, ARRAY[22]) FROM m \
    ) \
    INSERT INTO bench_embeddings (memory_id, user_id, model, position, embedding, bits, is_public) \
    SELECT m.id, m.user_id, e.model, 0, e.embedding, e.bits, false FROM m, (SELECT * FROM memory_embeddings LIMIT 1) AS e";

/// Everything that is measured against limits at one server.
pub(super) struct Limits<'a> {
    pub(super) ground: &'a Ground,
    pub(super) embedding: Embedding,
    pub(super) provider: &'a Provider,
    pub(super) server: &'a Server,
    pub(super) reader: &'a Person,
    pub(super) writer: &'a Person,
    pub(super) seconds: Duration,
}

impl Limits<'_> {
    /// Reads, searches and writes. `bench_memories` has to be there.
    pub(super) async fn measure(&self, search: &mut BareSearch) -> Result<Vec<Measurement>, Problem> {
        let load = Load::new();
        let mut measured = vec![self.one_client(&load, search).await?];
        measured.extend(self.reads(&load).await?);
        measured.extend(self.searches(&load, search).await?);
        measured.extend(self.writes(&load).await?);
        let resident = self.server.resident_bytes().map(|bytes| bytes / f64::from(1 << 20));
        measured.extend(resident.map(|resident| {
            let figures = (Unit::Mebibytes, Figures::of(vec![resident]));
            Measurement::plain("memory (RSS) of picard-server after all of this load", figures, Target::AtMost(100.0))
        }));
        Ok(measured)
    }

    async fn one_client(&self, load: &Load, search: &mut BareSearch) -> Result<Measurement, Problem> {
        let mut pairs = Pairs::default();
        let mut clock = Clock::new(self.seconds);
        while let Some((number, is_warm)) = clock.next() {
            let vector = self.provider.vector(&text(Kind::Query, number));
            let bare = search.time(&vector);
            let whole = load.time(|number| self.search(number, "hybrid"));
            let (bare, whole) = take_turns(number, bare, whole).await?;
            pairs.add(is_warm, bare, whole);
        }
        let name = "query_memory (hybrid), one client, against the exact search in SQL";
        Ok(pairs.measurement(name, 1.25, Vec::new()))
    }

    async fn reads(&self, load: &Load) -> Result<Vec<Measurement>, Problem> {
        let list = self.reader.call("retrieve_memories", json!({ "limit": 1 })).await?;
        let data = json!({ "memory_id": list["memories"][0]["id"] });
        let route = BareRoute::start().await?;
        let (url, server) = (format!("http://{}/", route.address), &self.server.url);
        let rates = self
            .by_turns(
                |time| load.rate(CLIENTS, time, |_| get(&url)),
                |time| load.rate(CLIENTS, time, |_| call(server, self.reader, "get_memory", &data)),
            )
            .await?;
        Ok(vec![rates.measurement("get_memory, 16 clients, against a bare axum route", Target::None)])
    }

    async fn searches(&self, load: &Load, search: &BareSearch) -> Result<Vec<Measurement>, Problem> {
        let literal = |number| search.literal(&self.provider.vector(&text(Kind::Query, number)));
        let statements = (0..STATEMENTS).map(literal).collect::<Result<Vec<_>, _>>()?;
        let bench = PgBench::new(self.ground, self.embedding, "search", &statements)?;
        let mut measured = Vec::new();
        for (mode, name) in [
            ("semantic", "query_memory (semantic), 16 clients, against pgbench with the exact search"),
            ("hybrid", "query_memory (hybrid), 16 clients, against pgbench with the exact search"),
        ] {
            let rates = self
                .by_turns(|time| bench.rate(CLIENTS, time), |time| load.rate(CLIENTS, time, |number| self.search(number, mode)))
                .await?;
            measured.push(rates.measurement(name, Target::AtLeast(0.7)));
        }
        Ok(measured)
    }

    async fn writes(&self, load: &Load) -> Result<Vec<Measurement>, Problem> {
        let (server, writer) = (&self.server.url, self.writer);
        let submit = |number| call(server, writer, "submit_memory", &json!({ "text": text(Kind::Submitted, number) }));
        let mut measured = Vec::new();
        for (file, insert, name, target) in [
            ("insert", INSERT, "submit_memory, 16 clients, against pgbench with a bare INSERT of one row", Target::AtLeast(0.6)),
            ("insert-all", INSERT_ALL, "submit_memory, 16 clients, against pgbench with all rows of a memory", Target::None),
        ] {
            let bench = PgBench::new(self.ground, self.embedding, file, &[insert.to_owned()])?;
            let rates = self.by_turns(|time| bench.rate(CLIENTS, time), |time| load.rate(CLIENTS, time, submit)).await?;
            measured.push(rates.measurement(name, target));
        }
        Ok(measured)
    }

    fn search(&self, number: u64, mode: &str) -> Result<axum::http::Request<axum::body::Body>, Problem> {
        // Beyond the texts of the statements: no search is asked twice.
        let mut data = question(&text(Kind::Query, 1_000_000 + number));
        data["mode"] = json!(mode);
        call(&self.server.url, self.reader, "query_memory", &data)
    }

    /// First the one, then the other, every other time the other way round.
    async fn by_turns<A, B>(&self, bare: impl Fn(Duration) -> A, whole: impl Fn(Duration) -> B) -> Result<Rates, Problem>
    where
        A: Future<Output = Result<f64, Problem>>,
        B: Future<Output = Result<f64, Problem>>,
    {
        let time = (self.seconds / ROUNDS).max(Duration::from_secs(2));
        // Connections, plans and caches are then warm.
        whole(Duration::from_secs(1)).await?;
        let mut rates = Rates::default();
        for round in 0..ROUNDS {
            let (bare, whole) = take_turns(u64::from(round), bare(time), whole(time)).await?;
            rates.bare.push(bare);
            rates.whole.push(whole);
        }
        Ok(rates)
    }
}

#[derive(Default)]
struct Rates {
    bare: Vec<f64>,
    whole: Vec<f64>,
}

impl Rates {
    fn measurement(self, name: &'static str, target: Target) -> Measurement {
        let ratios = self.bare.iter().zip(&self.whole).map(|(bare, whole)| whole / bare).collect();
        Measurement::rates(name, (Figures::of(self.bare), Figures::of(self.whole)), Figures::of(ratios), target)
    }
}

/// A route that answers with a few bytes; it ends when it is dropped.
struct BareRoute {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl BareRoute {
    async fn start() -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::from_error("start the bench's bare route", &error);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new().route("/", on_get(|| async { "{\"status\":\"ok\"}" }));
        let serving = tokio::spawn(async move {
            // It ends with the bench.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for BareRoute {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
