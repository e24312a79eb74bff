//! What happens while PostgreSQL is away: 503 with a time to come back, and everything works again when it does.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::cable::{Cable, Way};
use crate::kit::{Person, TestServer, database_url, number};
use crate::mcp::wire::modern;

/// A server whose way to its database can be cut.
async fn spawn(pool: &PgPool) -> (TestServer, Cable) {
    let (url, cable) = Cable::to(&database_url(pool)).await;
    (TestServer::spawn_at(url, &[]).await, cable)
}

async fn submit(server: &TestServer, person: &Person, text: &str) -> Response {
    server.send_call(person, "submit_memory", json!({ "text": text })).await
}

fn wait(response: &Response) -> u64 {
    response.headers()["retry-after"].to_str().expect("text").parse().expect("seconds")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn while_the_database_is_away_everything_says_so(pool: PgPool) {
    let (server, cable) = spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "before").await;

    cable.set(Way::Cut);

    let tool = submit(&server, &ada, "during").await;
    assert_eq!((tool.status().as_u16(), wait(&tool)), (503, 2), "FLT-01, REV-07: never a yes");
    assert_eq!(tool.json::<Value>().await.expect("JSON")["code"], "unavailable");
    let token = server.refresh(&ada.refresh_token).await;
    assert!(token.status() == 503 && wait(&token) >= 1, "FLT-01");
    assert_eq!(token.json::<Value>().await.expect("JSON")["error"], "temporarily_unavailable");
    let mcp = server.post("/mcp").bearer_auth(&ada.token).json(&json!({})).send().await.expect("an answer");
    assert!(mcp.status() == 503 && wait(&mcp) >= 1, "FLT-01");
    let person = server.user_token(json!({ "username": "ada" })).await;
    assert_eq!(person.status(), 503, "FLT-01");
    for (path, status) in
        [("/health", 503), ("/api/health", 503), ("/health/readiness", 503), ("/health/liveness", 200), ("/openapi.json", 200)]
    {
        let began = Instant::now();
        assert_eq!(server.get(path).send().await.expect("an answer").status().as_u16(), status, "{path}");
        assert!(began.elapsed() < Duration::from_secs(3), "{path} answered after {:?}", began.elapsed());
    }
    let health: Value = server.get("/health").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&health["status"], &health["checks"]["database"]), (&json!("degraded"), &json!("unavailable")));

    cable.set(Way::Open);

    let began = Instant::now();
    crate::kit::eventually("the server works again", async || submit(&server, &ada, "after").await.status() == 200).await;
    assert!(began.elapsed() < Duration::from_secs(5), "FLT-01: {:?}", began.elapsed());
    assert_eq!(server.get("/health").send().await.expect("an answer").status(), 200);
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 2, "FLT-01: what was refused was not stored");
    assert_eq!(server.refresh(&ada.refresh_token).await.status(), 200, "the refresh that failed used nothing up");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_was_acknowledged_survives_cuts_in_the_middle_of_writing(pool: PgPool) {
    let (server, cable) = spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let writing = async {
        let mut acknowledged = Vec::new();
        for number in 0..120 {
            let response = submit(&server, &ada, &format!("note {number}")).await;
            match response.status().as_u16() {
                200 => acknowledged.push(response.json::<Value>().await.expect("JSON")["data"]["id"].take()),
                503 => tokio::time::sleep(Duration::from_millis(20)).await,
                other => panic!("FLT-01: {other}: {}", response.text().await.unwrap_or_default()),
            }
        }
        acknowledged
    };
    let cutting = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            cable.set(Way::Cut);
            tokio::time::sleep(Duration::from_millis(100)).await;
            cable.set(Way::Open);
        }
    };

    let (acknowledged, ()) = tokio::join!(writing, cutting);

    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    for id in acknowledged {
        server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn killed_connections_are_replaced(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for round in 0..20 {
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'picard-server'";
        number(&pool, kill).await;
        let (status, answer) = server.try_call(&ada, "retrieve_memories", json!({})).await;
        assert!(matches!(status.as_u16(), 200 | 503), "FLT-01 round {round}: {status} {answer}");
    }

    crate::kit::eventually("the server works again", async || submit(&server, &ada, "after").await.status() == 200).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nothing_waits_for_ever_for_a_connection_that_swallows_all_flt_06(pool: PgPool) {
    let (server, cable) = spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "I like my tea.").await;
    let mut locked = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE memories IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await.expect("a lock");
    let tool = json!({ "tool": "query_user", "data": { "user_id": ada.user_id, "prompt": "What do I drink?" } });
    let completion = json!({
        "ref": { "type": "ref/resource", "uri": "memories://{memory_id}" }, "argument": { "name": "memory_id", "value": "" },
    });
    let listen = json!({ "notifications": { "resourceSubscriptions": [format!("memories://{id}")] } });
    let requests = [
        ("query_user", server.post("/api/tools").bearer_auth(&ada.token).json(&tool)),
        ("resources/list", modern(&server, &ada, "resources/list", json!({}))),
        ("resources/read", modern(&server, &ada, "resources/read", json!({ "uri": format!("memories://{id}") }))),
        ("completion/complete", modern(&server, &ada, "completion/complete", completion)),
        ("subscriptions/listen", modern(&server, &ada, "subscriptions/listen", listen)),
        ("export", server.get("/api/memories/export").bearer_auth(&ada.token)),
    ];

    // Their bearers are let in before nothing comes any more.
    let swallowing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cable.set(Way::Swallowing);
    };
    let began = Instant::now();
    let asked = join_all(requests.into_iter().map(|(name, request)| async move {
        let answered = match request.send().await {
            Ok(response) => response.text().await,
            Err(error) => Err(error),
        };
        (name, answered, began.elapsed())
    }));
    let (answers, ()) = tokio::join!(asked, swallowing);

    for (name, answer, took) in answers {
        assert!(took < Duration::from_secs(20), "FLT-06 {name} took {took:?}: {answer:?}");
        assert!(took > Duration::from_secs(1), "{name} was answered before anything was swallowed: {answer:?}");
    }
    locked.rollback().await.expect("an end");
    cable.set(Way::Open);
    crate::kit::eventually("the server works again", async || submit(&server, &ada, "after").await.status() == 200).await;
}
