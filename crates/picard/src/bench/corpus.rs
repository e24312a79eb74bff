//! The memories that are searched: made once, through the import that people use, and kept for later runs.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::ground::Ground;
use super::server::{Embedding, program};
use super::texts::{Kind, text};
use crate::postgres::databases::{explain, run};
use crate::problem::Problem;
use crate::rest::{self, Person, send};

/// Adds what is missing until the person has `wanted` memories, all of them embedded.
pub(super) async fn complete(
    ground: &Ground,
    (person, username): &(Person, String),
    wanted: u32,
    server_url: &str,
) -> Result<(), Problem> {
    let answer = person.call("retrieve_memories", json!({ "limit": 1 })).await?;
    let there = answer["total"].as_u64().unwrap_or_default();
    if there < u64::from(wanted) {
        let missing = u64::from(wanted) - there;
        eprintln!("picard: storing {missing} memories to search in (kept for the next time)");
        import(ground, username, there..u64::from(wanted)).await?;
    }
    until_embedded(server_url).await?;
    let tidied = tidy_up(&ground.superuser_url(Embedding::Local)).await;
    tidied.map_err(|error| explain("analyze the bench's database", &error))
}

async fn import(ground: &Ground, username: &str, numbers: std::ops::Range<u64>) -> Result<(), Problem> {
    let file = ground.folder.join("corpus.ndjson");
    let lines: String = numbers.map(|number| format!("{}\n", json!({ "text": text(Kind::Kept, number) }))).collect();
    fs::write(&file, lines).map_err(|error| Problem::file("write", &file, &error))?;
    let mut command = program(ground, Embedding::Local)?;
    command.arg("import").arg(&file).args(["--user", username]).stderr(Stdio::inherit());
    let status = command.status().await;
    let status = status.map_err(|error| Problem::from_error("run picard-server import", &error))?;
    if status.success() {
        fs::remove_file(&file).map_err(|error| Problem::file("remove", &file, &error))
    } else {
        Err(Problem::new("picard-server import failed"))
    }
}

/// Waits while memories still wait for their embedding.
pub(super) async fn until_embedded(server_url: &str) -> Result<(), Problem> {
    let http = rest::client()?;
    loop {
        let health: Value = send("ask how the server is", http.get(format!("{server_url}/health"))).await?;
        if health["checks"]["embedding_backlog"].as_i64() == Some(0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Does what PostgreSQL would do by itself in a while, so that the first run measures what later runs measure.
pub(super) async fn tidy_up(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    run(&mut connection, "VACUUM (ANALYZE)".to_owned()).await?;
    connection.close().await
}
