//! A memory is public and private in turns while a stranger reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use crate::kit::postgres::Postgres;
use crate::kit::{Person, TestServer, client};
use crate::load::Load;
use crate::outcome::Outcome;

const READERS: usize = 4;

/// Even: it is private, and whoever changed it has been told so. Odd: it is public, or on its way to or from there.
type Turn = AtomicU64;

/// FLT-21: no read that begins after the change to private was acknowledged sees the text, at any of two servers.
pub async fn of_permission(flips: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let replica = server.replica().await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.remember(&ada, "a secret of mine").await;
    let load = Load::begin(&server.url, &ada, 2);
    let (turn, is_over) = (Arc::new(Turn::new(0)), Arc::new(AtomicBool::new(false)));
    let read = |number: usize| {
        let url = if number.is_multiple_of(2) { &server.url } else { &replica.url };
        tokio::spawn(reader(url.clone(), eve.clone(), id.clone(), Arc::clone(&turn), Arc::clone(&is_over)))
    };
    let readers: Vec<_> = (0..READERS).map(read).collect();
    for _ in 0..flips {
        turn.fetch_add(1, Ordering::SeqCst);
        server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "public" })).await;
        server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "private" })).await;
        turn.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    is_over.store(true, Ordering::SeqCst);
    let (mut seen, mut betrayed) = (0, 0);
    for reader in readers {
        let (by_this, against_the_rule) = reader.await.expect("a reader");
        seen += by_this;
        betrayed += against_the_rule;
    }
    replica.stop().await;
    let written = load.end().await;
    let mut outcome =
        Outcome::of("FLT-21 permission changes during reads", &server.database_url, &ada, of_ada(written, id)).await;
    if betrayed > 0 {
        outcome.wrong.push(format!("{betrayed} reads saw a private memory, of {seen} that saw it"));
    }
    if seen == 0 {
        outcome.wrong.push("nobody ever saw the memory while it was public".to_owned());
    }
    outcome
}

/// The memory that is changed is hers, too.
fn of_ada(mut written: crate::load::Written, id: String) -> crate::load::Written {
    written.ids.push(id);
    written
}

/// How many reads saw the text, and how many of these within one turn in which it was private.
async fn reader(url: String, eve: Person, id: String, turn: Arc<Turn>, is_over: Arc<AtomicBool>) -> (usize, usize) {
    let (http, call) = (client(), json!({ "tool": "get_memory", "data": { "memory_id": id } }));
    let (mut seen, mut betrayed) = (0, 0);
    while !is_over.load(Ordering::SeqCst) {
        let before = turn.load(Ordering::SeqCst);
        let answer = http.post(format!("{url}/api/tools")).bearer_auth(&eve.token).json(&call).send().await;
        let text = answer.expect("an answer").text().await.expect("a body");
        let after = turn.load(Ordering::SeqCst);
        if text.contains("a secret of mine") {
            seen += 1;
            betrayed += usize::from(before == after && before.is_multiple_of(2));
        }
    }
    (seen, betrayed)
}
