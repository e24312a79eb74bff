//! What happens while the provider of embeddings is away, busy or talks nonsense: nothing is lost, nothing waits long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::provider::Mood;
use crate::kit::{Person, TestServer, eventually, ids, number, word};

/// A write waits this long for its embedding here, as it does by default.
const BUDGET: [&str; 2] = ["--embedding-budget-ms", "300"];

async fn status(server: &TestServer, person: &Person, id: &str) -> String {
    word(&server.call(person, "get_memory", json!({ "memory_id": id })).await["embedding_status"])
}

async fn health(server: &TestServer) -> Value {
    let response = server.get("/health").send().await.expect("an answer");
    assert_eq!(response.status(), 200, "embeddings that wait are no reason to take a server out of service");
    response.json().await.expect("JSON")
}

/// Stores texts while the provider is in this mood, then lets it recover.
async fn outage(pool: &PgPool, mood: Mood, requirement: &str) {
    let server = TestServer::spawn_with(pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    let before = server.remember(&ada, "written before the outage").await;
    server.provider.set(mood);

    let mut stored = Vec::new();
    for number in 0..3 {
        let began = Instant::now();
        let memory = server.call(&ada, "submit_memory", json!({ "text": format!("walrus number {number}") })).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{requirement}: a write took {:?}", began.elapsed());
        assert_eq!(memory["embedding_status"], "pending", "{requirement}");
        stored.push(word(&memory["id"]));
    }
    let list = server.call(&ada, "get_memories", json!({ "order": "asc" })).await;
    assert_eq!(ids(&list)[1..], stored, "{requirement}: they are stored and listed");
    assert_eq!(status(&server, &ada, &before).await, "ready", "{requirement}: earlier ones stay ready");
    assert_eq!(number(pool, "SELECT count(*) FROM embedding_jobs").await, 3, "{requirement}: each has its job");

    server.provider.set(Mood::Well);

    for id in &stored {
        eventually("a memory of the outage can be found", async || status(&server, &ada, id).await == "ready").await;
    }
    let found = server.call(&ada, "query_memory", json!({ "query": "walrus number 1" })).await;
    assert_eq!((&ids(&found)[0], &found["total_found"]), (&stored[1], &json!(4)), "{requirement}: nothing is lost or doubled");
    assert_eq!(number(pool, "SELECT count(*) FROM memory_embeddings").await, 4, "{requirement}: no vector twice");
    assert_eq!(number(pool, "SELECT count(*) FROM embedding_jobs").await, 0, "{requirement}: no job is left");
    eventually("the server is well again", async || health(&server).await["status"] == "ok").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_provider_that_fails_delays_only_the_search(pool: PgPool) {
    outage(&pool, Mood::Failing, "FLT-09").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_provider_that_is_busy_delays_only_the_search(pool: PgPool) {
    outage(&pool, Mood::Busy, "FLT-08").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_provider_that_never_answers_delays_only_the_search(pool: PgPool) {
    outage(&pool, Mood::Silent, "FLT-09").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nonsense_is_never_stored(pool: PgPool) {
    outage(&pool, Mood::Nonsense, "FLT-10").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn vectors_of_another_length_are_never_stored(pool: PgPool) {
    outage(&pool, Mood::WrongDimension, "FLT-10").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_search_without_the_provider_says_so_and_when_to_come_back(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "tea at four").await;

    for mood in [Mood::Failing, Mood::Busy, Mood::Nonsense, Mood::WrongDimension] {
        server.provider.set(mood);
        let began = Instant::now();
        let response = server.send_call(&ada, "query_memory", json!({ "query": "tea", "mode": "semantic" })).await;

        assert_eq!(response.status(), 503, "FLT-09 {mood:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "FLT-09 {mood:?}");
        let wait: u64 = response.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{mood:?}: {wait}");
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(answer["code"], "unavailable", "{mood:?}");
        let shown = answer.to_string();
        assert!(!shown.contains("127.0.0.1") && !shown.contains("test-key"), "SSR-05: {shown}");

        let by_word = server.call(&ada, "query_memory", json!({ "query": "tea" })).await;
        assert_eq!((&by_word["mode"], &by_word["total_found"]), (&json!("keyword"), &json!(1)), "FLT-09: words need no provider");
    }
    server.provider.set(Mood::Well);
    eventually("the search works again", async || {
        server.try_call(&ada, "query_memory", json!({ "query": "tea" })).await.0 == 200
    })
    .await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_health_tells_of_an_outage_and_of_what_waits(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    let well = health(&server).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
    let observed = server.replica_with(&["--metrics-addr", &format!("127.0.0.1:{port}")]).await;
    let ask = async || server.http.get(format!("http://127.0.0.1:{port}/metrics")).send().await;
    eventually("figures are served", async || ask().await.is_ok()).await;
    let figures = ask().await.expect("an answer").text().await.expect("a body");
    assert!(figures.contains("\npicard_embedding_backlog 0\n") && figures.contains("\npicard_database_up 1\n"), "{figures}");
    observed.stop().await;
    assert_eq!(
        well,
        json!({ "status": "ok", "checks": { "database": "ok", "embedding": "ok", "llm": "not_configured", "embedding_backlog": 0 } })
    );
    server.provider.set(Mood::Failing);

    for number in 0..2 {
        server.remember(&ada, &format!("note {number}")).await;
    }

    eventually("the health tells of it", async || health(&server).await["status"] == "degraded").await;
    let checks = health(&server).await["checks"].take();
    assert_eq!(checks, json!({ "database": "ok", "embedding": "unavailable", "llm": "not_configured", "embedding_backlog": 2 }));
    for path in ["/health/readiness", "/health/liveness"] {
        assert_eq!(server.get(path).send().await.expect("an answer").status(), 200, "{path}");
    }
    server.provider.set(Mood::Well);
    eventually("everything is well again", async || health(&server).await == well).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn another_replica_finishes_what_one_left(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    server.provider.set(Mood::Failing);
    let id = server.remember(&ada, "walrus").await;
    assert_eq!(status(&server, &ada, &id).await, "pending");
    let replica = server.replica().await;
    server.provider.set(Mood::Well);

    eventually("the memory can be found at the replica", async || {
        let call = json!({ "tool": "query_memory", "data": { "query": "walrus" } });
        let request = server.http.post(format!("{}/api/tools", replica.url)).bearer_auth(&ada.token).json(&call);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        answer["data"]["total_found"] == 1
    })
    .await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_text_that_is_changed_while_it_waits_gets_the_vector_of_its_last_version(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    server.provider.set(Mood::Failing);
    let id = server.remember(&ada, "turquoise bicycle").await;
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "copper saucepan" })).await;
    let gone = server.remember(&ada, "to be forgotten").await;
    server.call(&ada, "delete_memory", json!({ "memory_id": gone })).await;

    server.provider.set(Mood::Well);

    eventually("the memory can be found", async || status(&server, &ada, &id).await == "ready").await;
    let found = server.call(&ada, "query_memory", json!({ "query": "copper saucepan" })).await;
    assert_eq!(
        (&found["total_found"], found["memories"][0]["score"].as_f64() > Some(0.99)),
        (&json!(1), true),
        "FLT-22: {found}"
    );
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 1, "FLT-22: no orphans");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_permission_change_needs_no_provider(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &BUDGET).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "tea at four").await;
    let asked = server.provider.texts().len();
    server.provider.set(Mood::Failing);

    let changed = server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "public" })).await;
    server.call(&ada, "update_memory", json!({ "memory_id": id, "tags": ["tea"] })).await;

    assert_eq!(changed["embedding_status"], "ready");
    assert_eq!(server.provider.texts().len(), asked, "ENC-10: no text left the process again");
}
