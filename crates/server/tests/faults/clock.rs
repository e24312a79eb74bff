//! Clocks of servers that differ, where libfaketime is installed.

use std::fs::File;
use std::path::Path;

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::programs::{free_address, is_ready, program};

const FAULT: &str = "FLT-16 clocks 30 s apart";

const TOO_FAR: &str = "FLT-16 clock 5 min ahead";

const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

const NOT_INSTALLED: &str = "left out: libfaketime is not installed";

fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|library| Path::new(library).is_file())
}

/// FLT-16: what a server gives is taken by one whose clock is half a minute ahead, and the other way round.
pub async fn skew() -> Outcome {
    let Some(library) = library() else { return Outcome::left_out(FAULT, NOT_INSTALLED) };
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let ahead = server.process_with(&[], &[("LD_PRELOAD", library), ("FAKETIME", "+30s")]).await;
    let load = Load::begin(&ahead.url, &ada, 2);
    load.until_success().await;
    let refreshed = server.refresh_at(&ahead.url, &ada.refresh_token).await;
    let mut wrong = Vec::new();
    if refreshed.status() == 200 {
        let answer: serde_json::Value = refreshed.json().await.expect("JSON");
        let expires_in = answer["expires_in"].as_i64().unwrap_or(-1);
        let token = answer["access_token"].as_str().unwrap_or_default();
        if !server.is_welcome_at(&server.url, token).await || !(1..=3_600).contains(&expires_in) {
            wrong.push(format!("a token from half a minute ahead is refused, or lives for {expires_in} s"));
        }
    } else {
        wrong.push(format!("a refresh at the server ahead: {}", refreshed.status()));
    }
    let written = load.end().await;
    ahead.stop().await;
    let mut outcome = Outcome::of(FAULT, &server.database_url, &ada, written).await;
    outcome.wrong.extend(wrong);
    outcome
}

/// FLT-16: a token of a server whose clock is five minutes ahead is refused by the others, whose log says why; and the
/// server that is ahead goes on with the tokens of all.
pub async fn too_far() -> Outcome {
    let Some(library) = library() else { return Outcome::left_out(TOO_FAR, NOT_INSTALLED) };
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let ahead = server.process_with(&[], &[("LD_PRELOAD", library), ("FAKETIME", "+300s")]).await;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let address = free_address();
    let mut command = program(&server, &["--server-addr", &address]);
    let mut child = command.stderr(File::create(log.path()).expect("a log")).spawn().expect("a process");
    let mut wrong = Vec::new();
    if !is_ready(&address, &mut child).await {
        wrong.push("the second server does not start".to_owned());
    }
    let load = Load::begin(&ahead.url, &ada, 2);
    load.until_success().await;
    let refreshed = server.refresh_at(&ahead.url, &ada.refresh_token).await;
    let answer: serde_json::Value = refreshed.json().await.unwrap_or_default();
    let token = answer["access_token"].as_str().unwrap_or_default();
    if token.is_empty() || server.is_welcome_at(&format!("http://{address}"), token).await {
        wrong.push(format!("a token from five minutes ahead is taken, or there is none: {}", answer["error"]));
    }
    let said = std::fs::read_to_string(log.path()).expect("a log");
    if !said.contains("clocks of the servers differ") {
        wrong.push("the log does not say that the clocks differ".to_owned());
    }
    let written = load.end().await;
    let _ = child.kill().await;
    ahead.stop().await;
    let mut outcome = Outcome::of(TOO_FAR, &server.database_url, &ada, written).await;
    outcome.wrong.extend(wrong);
    outcome
}
