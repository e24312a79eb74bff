//! Reads from a copy of the database are never older than reads of the database itself.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::kit::cable::{Cable, Way};
use crate::kit::postgres::Postgres;
use crate::kit::{Person, TestServer, eventually};

async fn counted(server: &TestServer, person: &Person) -> Value {
    let response = server.get("/api/users/me/analytics").bearer_auth(&person.token).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.json().await.expect("JSON")
}

/// A statement at the copy itself.
async fn at(copy: &Postgres, statement: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&copy.url("picard")).await.expect("a connection");
    sqlx::query_scalar(statement).fetch_one(&mut connection).await.expect("a number")
}

#[tokio::test]
async fn a_copy_answers_with_everything_that_was_acknowledged_or_not_at_all() {
    let Some(primary) = Postgres::create().await else { return };
    let mut copy = primary.standby().await;
    let arguments = ["--database-replica-url", &copy.url("picard")];
    let server = TestServer::spawn_at(primary.url("picard"), &arguments).await;
    let ada = server.sign_in("ada").await;

    for number in 1..=60 {
        server.remember(&ada, &format!("note {number}")).await;
        assert_eq!(counted(&server, &ada).await["memories"]["total"], number, "FLT-17: what was just written is counted");
    }

    eventually("the copy is asked", async || {
        counted(&server, &ada).await;
        let statement =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'picard-server' AND query LIKE '%FROM memories%'";
        at(&copy, statement).await > 0
    })
    .await;
    at(&copy, "SELECT count(*) FROM pg_wal_replay_pause()").await;
    for number in 61..=70 {
        server.publish(&ada, &format!("note {number}")).await;
        let figures = counted(&server, &ada).await;
        assert_eq!(figures["memories"]["total"], number, "FLT-21: a copy that is behind is not asked");
    }
    assert!(at(&copy, "SELECT count(*) FROM memories").await < 70, "the copy was behind");
    copy.kill().await;
    for _ in 0..3 {
        assert_eq!(counted(&server, &ada).await["memories"]["total"], 70, "FLT-02: without the copy the database answers");
    }
    copy.start().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(counted(&server, &ada).await["memories"]["total"], 70);
}

#[tokio::test]
async fn a_copy_whose_connections_swallow_all_is_left_alone_flt_06() {
    let Some(primary) = Postgres::create().await else { return };
    let copy = primary.standby().await;
    let (url, cable) = Cable::to(&copy.url("picard")).await;
    let server = TestServer::spawn_at(primary.url("picard"), &["--database-replica-url", &url]).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "a note").await;
    eventually("the copy is asked", async || {
        counted(&server, &ada).await;
        at(&copy, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'picard-server'").await > 0
    })
    .await;

    cable.set(Way::Swallowing);

    let began = Instant::now();
    assert_eq!(counted(&server, &ada).await["memories"]["total"], 1, "FLT-06: the database answers");
    assert!(began.elapsed() < Duration::from_secs(4), "FLT-06: {:?}", began.elapsed());
    let again = Instant::now();
    assert_eq!(counted(&server, &ada).await["memories"]["total"], 1);
    assert!(again.elapsed() < Duration::from_millis(500), "FLT-06: it is not asked again at once: {:?}", again.elapsed());
}
