//! What happens while PostgreSQL is away: 503 with a time to come back, and everything works again when it does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::kit::{Person, TestServer, database_url, number};

/// A way to PostgreSQL that can be cut.
struct Cable {
    address: SocketAddr,
    is_up: watch::Sender<bool>,
}

impl Cable {
    async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (is_up, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, host.clone(), port, state.clone()));
            }
        });
        Self { address, is_up }
    }

    fn set(&self, is_up: bool) {
        self.is_up.send_replace(is_up);
    }
}

/// Carries one connection until the cable is cut.
async fn carry(mut near: TcpStream, host: String, port: u16, mut state: watch::Receiver<bool>) {
    if !*state.borrow() {
        return;
    }
    let mut far = TcpStream::connect((host, port)).await.expect("PostgreSQL");
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = state.wait_for(|is_up| !is_up) => {}
    }
}

/// A server whose way to its database can be cut.
async fn spawn(pool: &PgPool) -> (TestServer, Cable) {
    let mut url = url::Url::parse(&database_url(pool)).expect("a URL");
    let cable = Cable::to(url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432)).await;
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(cable.address.port())).expect("a port");
    (TestServer::spawn_at(url.into(), &[]).await, cable)
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

    cable.set(false);

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

    cable.set(true);

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
            cable.set(false);
            tokio::time::sleep(Duration::from_millis(100)).await;
            cable.set(true);
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
