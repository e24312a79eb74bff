//! Clocks of servers that differ, where libfaketime is installed.

use std::path::Path;

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;

const FAULT: &str = "FLT-16 clocks 30 s apart";

const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];

/// FLT-16: what a server gives is taken by one whose clock is half a minute ahead, and the other way round.
pub async fn skew() -> Outcome {
    let Some(library) = LIBRARIES.into_iter().find(|library| Path::new(library).is_file()) else {
        return Outcome::left_out(FAULT, "left out: libfaketime is not installed");
    };
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
