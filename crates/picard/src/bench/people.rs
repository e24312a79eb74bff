//! Many people with a hundred memories each, beside few: a search of one's own must not take longer because of others.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Client;
use serde_json::{Value, json};

use super::BenchArguments;
use super::corpus::{tidy_up, until_embedded};
use super::figures::Figures;
use super::ground::Ground;
use super::provider::Provider;
use super::report::{Measurement, Target, Unit};
use super::server::{Embedding, Server};
use super::texts::{Kind, text};
use crate::postgres::databases::explain;
use crate::problem::Problem;
use crate::rest::{Credentials, Person};

/// What each of them has, and how much of it everybody may see.
const EACH: u64 = 100;
const PUBLIC: u64 = 10;
/// With how few people it is compared.
const FEW: u32 = 100;
/// So many people search.
const SEARCHING: u32 = 50;
/// So many are made at the same time.
const AT_ONCE: usize = 8;

/// What searches take, in milliseconds.
struct Searches {
    own: Vec<Duration>,
    public: Vec<Duration>,
}

/// Searches with few people and with so many, each in a database of its own that is kept.
pub(super) async fn measure(ground: &mut Ground, http: &Client, arguments: &BenchArguments) -> Result<Vec<Measurement>, Problem> {
    let seconds = Duration::from_secs(arguments.seconds);
    let few = with_people(ground, http, (FEW, arguments.dimensions), seconds).await?;
    let many = with_people(ground, http, (arguments.people, arguments.dimensions), seconds).await?;
    let (bare, own) = (Figures::of_times(&few.own), Figures::of_times(&many.own));
    let ratio = Figures::of(vec![own.median / bare.median]);
    let milliseconds = |times: &[Duration]| (Unit::Milliseconds, Figures::of_times(times));
    Ok(vec![
        Measurement::ratio("own search with many people, against 100 people", (bare, own), ratio, Target::AtMost(1.5)),
        Measurement::plain("search of what is public, 100 people", milliseconds(&few.public), Target::None),
        Measurement::plain("search of what is public, many people", milliseconds(&many.public), Target::AtMost(5.0)),
    ])
}

async fn with_people(
    ground: &mut Ground,
    http: &Client,
    (people, dimensions): (u32, u16),
    seconds: Duration,
) -> Result<Searches, Problem> {
    let provider = Provider::start(dimensions).await?;
    let embedding = Embedding::Provider { port: provider.port, dimensions, people };
    ground.prepare_database(embedding).await?;
    let server = Server::start(ground, embedding).await?;
    let credentials = ground.credentials(http, &server.url, embedding).await?;
    let all = People { http, url: server.url.clone(), credentials };
    all.complete(people).await?;
    until_embedded(&server.url).await?;
    tidy_up(&ground.superuser_url(embedding)).await.map_err(|error| explain("analyze the bench's database", &error))?;
    // The index of public memories is made at the next start, when there are many.
    server.stop().await;
    let server = Server::start(ground, embedding).await?;
    let all = People { url: server.url.clone(), ..all };
    let searches = all.search(people, seconds).await?;
    server.stop().await;
    Ok(searches)
}

struct People<'a> {
    http: &'a Client,
    url: String,
    credentials: Credentials,
}

impl People<'_> {
    async fn connect(&self, number: u32) -> Result<Person, Problem> {
        Person::connect(self.http, &self.url, &self.credentials, &format!("person-{number}")).await
    }

    /// Makes those who are missing. They were made in order, so the last ones tell where to go on.
    async fn complete(&self, people: u32) -> Result<(), Problem> {
        let (mut there, mut missing) = (0, people);
        while there < missing {
            let middle = there.midpoint(missing);
            if self.connect(middle).await?.call("retrieve_memories", json!({ "limit": 1 })).await?["total"].as_u64() == Some(EACH)
            {
                there = middle + 1;
            } else {
                missing = middle;
            }
        }
        // Those who were being made when an earlier run ended are looked at once more.
        let first = there.saturating_sub(u32::try_from(AT_ONCE).unwrap_or_default());
        if there < people {
            eprintln!("picard: making {} people with {EACH} memories each (kept for the next time)", people - there);
        }
        let mut made = stream::iter((first..people).map(|number| self.make(number))).buffer_unordered(AT_ONCE);
        while let Some(outcome) = made.next().await {
            outcome?;
        }
        Ok(())
    }

    async fn make(&self, number: u32) -> Result<(), Problem> {
        let person = self.connect(number).await?;
        if person.call("retrieve_memories", json!({ "limit": 1 })).await?["total"].as_u64() == Some(EACH) {
            return Ok(());
        }
        let row = |place: u64| {
            let permission = if place < PUBLIC { "public" } else { "private" };
            json!({ "text": text(Kind::Kept, u64::from(number) * EACH + place), "permission": permission })
        };
        let rows: Vec<Value> = (0..EACH).map(row).collect();
        person.call("submit_memories", json!({ "memories": rows })).await.map(|_| ())
    }

    /// People take turns; nobody asks the same twice.
    async fn search(&self, people: u32, seconds: Duration) -> Result<Searches, Problem> {
        let mut searching = Vec::new();
        for number in 0..SEARCHING.min(people) {
            searching.push(self.connect(number * (people / SEARCHING.min(people))).await?);
        }
        let mut searches = Searches { own: Vec::new(), public: Vec::new() };
        let (began, mut number) = (Instant::now(), 0);
        while began.elapsed() < seconds * 2 || number < 200 {
            let person = &searching[number % searching.len()];
            let query = text(Kind::Query, u64::try_from(number).unwrap_or_default());
            for (scope, times) in [("own", &mut searches.own), ("public", &mut searches.public)] {
                let start = Instant::now();
                person.call("query_memory", json!({ "query": query, "mode": "semantic", "scope": scope })).await?;
                // The first ones open connections and plan statements.
                if number >= 100 {
                    times.push(start.elapsed());
                }
            }
            number += 1;
        }
        Ok(searches)
    }
}
