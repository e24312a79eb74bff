//! A tool of the server against its unavoidable parts, turn by turn.

use std::future::Future;
use std::time::{Duration, Instant};

use picard_server::Embedder;
use serde_json::json;

use super::bare_search::{BareSearch, question};
use super::figures::Figures;
use super::report::{Measurement, Target, Unit};
use super::texts::{Kind, text};
use crate::problem::Problem;
use crate::rest::Person;

/// Pairs that are run before anything is measured: connections, plans and caches are then warm.
const WARM_UP: u64 = 30;
/// What both comparisons may take at most, as a multiple of the bare parts.
const TARGET: f64 = 1.5;
/// What the statement of a search may take, in milliseconds.
const SEARCH_TARGET: f64 = 10.0;

/// What both comparisons need.
pub(super) struct Bench<'a> {
    pub(super) embedder: &'a dyn Embedder,
    pub(super) seconds: Duration,
}

impl Bench<'_> {
    /// Storing a memory over REST against embedding the same text.
    pub(super) async fn submit_memory(&self, writer: &Person) -> Result<Measurement, Problem> {
        let mut stored = Vec::new();
        let mut pending = 0;
        let mut pairs = Pairs::default();
        let mut clock = Clock::new(self.seconds);
        while let Some((number, is_warm)) = clock.next() {
            let text = text(Kind::Submitted, number);
            let bare = self.embed(&text);
            let whole = async {
                let (time, answer) = timed(writer.call("submit_memory", json!({ "text": text }))).await?;
                pending += usize::from(answer["embedding_status"] != "ready");
                stored.extend(answer["id"].as_str().map(str::to_owned));
                Ok(time)
            };
            let ((bare, _), whole) = take_turns(number, bare, whole).await?;
            pairs.add(is_warm, bare, whole);
        }
        for id in &stored {
            writer.call("delete_memory", json!({ "memory_id": id })).await?;
        }
        if pending * 2 > stored.len() {
            return Err(Problem::new("the server left most embeddings to its worker, so there is nothing to compare"));
        }
        Ok(pairs.measurement("submit_memory, one client, against the bare embedding", TARGET, Vec::new()))
    }

    /// A search over REST against embedding the query and the bare statement.
    pub(super) async fn query_memory(&self, reader: &Person, mut search: BareSearch) -> Result<Vec<Measurement>, Problem> {
        let (mut embedding, mut sql) = (Vec::new(), Vec::new());
        let mut pairs = Pairs::default();
        let mut clock = Clock::new(self.seconds);
        while let Some((number, is_warm)) = clock.next() {
            let query = text(Kind::Query, number);
            let bare = async {
                let (embedded, vector) = self.embed(&query).await?;
                Ok((embedded, search.time(&vector).await?))
            };
            let whole = async { Ok(timed(reader.call("query_memory", question(&query))).await?.0) };
            let ((embedded, searched), whole) = take_turns(number, bare, whole).await?;
            pairs.add(is_warm, embedded + searched, whole);
            if is_warm {
                embedding.push(embedded);
                sql.push(searched);
            }
        }
        let parts = vec![("embedding the query", Figures::of_times(&embedding)), ("the bare SQL", Figures::of_times(&sql))];
        let alone = (Unit::Milliseconds, Figures::of_times(&sql));
        Ok(vec![
            pairs.measurement("query_memory, one client, against embedding and bare SQL", TARGET, parts),
            Measurement::plain("own search, 384 numbers, the statement alone", alone, Target::AtMost(SEARCH_TARGET)),
        ])
    }

    async fn embed(&self, text: &str) -> Result<(Duration, Vec<f32>), Problem> {
        let began = Instant::now();
        let vectors = self.embedder.embed(&[text]).await;
        let time = began.elapsed();
        let vectors = vectors.map_err(|error| Problem::from_error("embed a text", &error))?;
        let vector = vectors.first().map(|vector| vector.as_slice().to_vec());
        Ok((time, vector.unwrap_or_default()))
    }
}

async fn timed<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<(Duration, T), Problem> {
    let began = Instant::now();
    let answer = work.await?;
    Ok((began.elapsed(), answer))
}

/// Runs both, every other time in the other order: neither always finds the caches as the other left them.
pub(super) async fn take_turns<A, B>(
    number: u64,
    bare: impl Future<Output = Result<A, Problem>>,
    whole: impl Future<Output = Result<B, Problem>>,
) -> Result<(A, B), Problem> {
    if number.is_multiple_of(2) {
        let bare = bare.await?;
        Ok((bare, whole.await?))
    } else {
        let whole = whole.await?;
        Ok((bare.await?, whole))
    }
}

/// Numbers the pairs until the time is over.
pub(super) struct Clock {
    number: u64,
    began: Option<Instant>,
    limit: Duration,
}

impl Clock {
    pub(super) fn new(limit: Duration) -> Self {
        Self { number: 0, began: None, limit }
    }

    /// The next pair's number, and whether it counts. At least one does.
    pub(super) fn next(&mut self) -> Option<(u64, bool)> {
        let number = self.number;
        self.number += 1;
        if number < WARM_UP {
            return Some((number, false));
        }
        let is_first = self.began.is_none();
        let began = *self.began.get_or_insert_with(Instant::now);
        (is_first || began.elapsed() < self.limit).then_some((number, true))
    }
}

/// What was measured of both sides.
#[derive(Default)]
pub(super) struct Pairs {
    bare: Vec<Duration>,
    whole: Vec<Duration>,
}

impl Pairs {
    pub(super) fn add(&mut self, is_warm: bool, bare: Duration, whole: Duration) {
        if is_warm {
            self.bare.push(bare);
            self.whole.push(whole);
        }
    }

    pub(super) fn measurement(&self, name: &'static str, target: f64, parts: Vec<(&'static str, Figures)>) -> Measurement {
        let pairs = self.bare.iter().zip(&self.whole);
        let ratios = pairs.map(|(bare, whole)| whole.as_secs_f64() / bare.as_secs_f64()).collect();
        let times = (Figures::of_times(&self.bare), Figures::of_times(&self.whole));
        Measurement::ratio(name, times, Figures::of(ratios), Target::AtMost(target)).with_parts(parts)
    }
}
