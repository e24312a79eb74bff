//! The statement of a search without the server around it.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use pgvector::HalfVector;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Column as _, Connection as _, Executor as _, SqlSafeStr as _};
use sqlx::{Statement as _, TypeInfo as _};
use uuid::Uuid;

use super::ground::Ground;
use super::server::Embedding;
use super::texts::{Kind, text};
use crate::postgres::databases::explain;
use crate::problem::Problem;
use crate::rest::Person;

/// How many memories a search asks for.
const LIMIT: i64 = 10;

/// So many first searches, of which one is seen.
const AT_ONCE: u64 = 16;
/// The longest that they may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server is asked. Without a least score every search finds as many memories as it may, which is the most work.
pub(super) fn question(query: &str) -> Value {
    json!({ "query": query, "limit": LIMIT, "mode": "semantic" })
}

/// A plain connection, and the very statement that the server runs.
pub(super) struct BareSearch {
    connection: PgConnection,
    statement: String,
    /// The types of its parameters, by which they are told apart.
    parameters: Vec<String>,
    pub(super) owner: Uuid,
    model: String,
}

impl BareSearch {
    /// Lets the server search, and looks in PostgreSQL meanwhile what it runs. It has to be the person's first search:
    /// later ones may be answered from memory.
    pub(super) async fn prepare(ground: &Ground, embedding: Embedding, owner: &Person, model: &str) -> Result<Self, Problem> {
        let failed = |error: sqlx::Error| explain("prepare the search without the server", &error);
        let searches = try_join_all((0..AT_ONCE).map(|number| owner.call("query_memory", question(&text(Kind::Query, number)))));
        let url = ground.superuser_url(embedding);
        let (searched, statement) = tokio::join!(searches, running_search(&url));
        searched?;
        let statement = statement.map_err(failed)?;
        let mut connection = PgConnection::connect(&ground.database_url(embedding)).await.map_err(failed)?;
        let prepared = connection.prepare(AssertSqlSafe(statement.clone()).into_sql_str());
        let prepared = prepared.await.map_err(failed)?;
        let types = prepared.parameters().and_then(sqlx::Either::left).unwrap_or_default();
        let parameters = types.iter().map(|kind| kind.name().to_lowercase()).collect();
        // A look at the columns makes sure that it is the search and no other statement.
        if !prepared.columns().iter().any(|column| column.name() == "similarity") {
            return Err(Problem::new("the server's search statement was not found in PostgreSQL"));
        }
        let owner =
            Uuid::parse_str(&owner.id).map_err(|error| Problem::from_error("read the id that the server gave", &error))?;
        Ok(Self { connection, statement, parameters, owner, model: model.to_owned() })
    }

    /// Runs the statement and answers how long it took, its rows included.
    pub(super) async fn time(&mut self, vector: &[f32]) -> Result<Duration, Problem> {
        let began = Instant::now();
        let found = self.rows(vector).await?;
        let time = began.elapsed();
        if found.is_empty() {
            return Err(Problem::new("the search without the server found nothing"));
        }
        Ok(time)
    }

    /// Runs the statement and answers the memories that it finds, the nearest first.
    pub(super) async fn ids(&mut self, vector: &[f32]) -> Result<Vec<Uuid>, Problem> {
        let rows = self.rows(vector).await?;
        let ids = rows.iter().map(|row| row.try_get("memory_id")).collect::<Result<_, sqlx::Error>>();
        ids.map_err(|error| explain("read what a search found", &error))
    }

    async fn rows(&mut self, vector: &[f32]) -> Result<Vec<PgRow>, Problem> {
        let arguments = self.arguments(vector)?;
        let statement = AssertSqlSafe(self.statement.as_str());
        let found = sqlx::query_with(statement, arguments).fetch_all(&mut self.connection).await;
        found.map_err(|error| explain("search without the server", &error))
    }

    /// The statement with everything in it, for a program that binds nothing.
    pub(super) fn literal(&self, vector: &[f32]) -> Result<String, Problem> {
        let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
        let mut statement = self.statement.clone();
        // The highest number first: `$1` begins `$10`, too.
        for (number, kind) in self.parameters.iter().enumerate().rev() {
            let value = match kind.as_str() {
                "halfvec" => format!("'[{}]'::halfvec", numbers.join(",")),
                "text" => format!("'{}'::text", self.model),
                "uuid" => format!("'{}'::uuid", self.owner),
                "int8" => format!("{}::bigint", wanted(vector)),
                other => return Err(unknown(other)),
            };
            statement = statement.replace(&format!("${}", number + 1), &value);
        }
        Ok(statement)
    }

    fn arguments(&self, vector: &[f32]) -> Result<PgArguments, Problem> {
        let mut arguments = PgArguments::default();
        for kind in &self.parameters {
            let added = match kind.as_str() {
                "halfvec" => arguments.add(HalfVector::from_f32_slice(vector)),
                "text" => arguments.add(&self.model),
                "uuid" => arguments.add(self.owner),
                "int8" => arguments.add(wanted(vector)),
                other => return Err(unknown(other)),
            };
            added.map_err(|error| Problem::from_error("bind a parameter of the search", error.as_ref()))?;
        }
        Ok(arguments)
    }
}

/// So many windows for the hits, and so many candidates by signs for each.
fn wanted(vector: &[f32]) -> i64 {
    if vector.len() > 512 { LIMIT * 20 } else { LIMIT * 2 }
}

fn unknown(kind: &str) -> Problem {
    Problem::new(format!("the server's search has a parameter of the type {kind}, which the bench does not know"))
}

/// Asks PostgreSQL what it runs until a search is among it.
async fn running_search(url: &str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let began = Instant::now();
    loop {
        let statement = sqlx::query_scalar(
            "SELECT query FROM pg_stat_activity
             WHERE application_name = 'picard-server' AND query LIKE 'WITH near AS%<=>%' ORDER BY query_start DESC LIMIT 1",
        )
        .fetch_optional(&mut connection)
        .await?;
        match statement {
            Some(statement) => return Ok(statement),
            None if began.elapsed() > PATIENCE => return Err(sqlx::Error::RowNotFound),
            None => {}
        }
    }
}
