//! What Prometheus reads, as somebody who watches a server would.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, Replica, TestServer, client, eventually};

/// A second server, whose figures are served.
async fn observed(server: &TestServer) -> (Replica, String) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let replica = server.replica_with(&["--metrics-addr", &free.to_string()]).await;
    let url = format!("http://{free}/metrics");
    eventually("figures are served", async || client().get(&url).send().await.is_ok()).await;
    (replica, url)
}

async fn call(replica: &Replica, person: &Person, tool: &str, data: Value) -> u16 {
    let body = json!({ "tool": tool, "data": data });
    let request = client().post(format!("{}/api/tools", replica.url)).bearer_auth(&person.token).json(&body);
    request.send().await.expect("an answer").status().as_u16()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn requests_tools_searches_and_tokens_are_counted_ops_07(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in_with("ada", "memories:read").await;
    let (replica, url) = observed(&server).await;

    assert_eq!(call(&replica, &ada, "query_memory", json!({ "query": "a secret about walrus tea" })).await, 200);
    assert_eq!(call(&replica, &ada, "query_memory", json!({ "query": "a secret about walrus tea" })).await, 200);
    assert_eq!(call(&replica, &ada, "query_memory", json!({ "query": "tea", "mode": "keyword" })).await, 200);
    assert_eq!(call(&replica, &ada, "submit_memory", json!({ "text": "tea" })).await, 403);
    assert_eq!(call(&replica, &ada, "no_such_tool_4711", json!({})).await, 404);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "unknown")];
    let request = client().post(format!("{}/token", replica.url)).basic_auth(&server.client_id, Some(&server.client_secret));
    assert_eq!(request.form(&form).send().await.expect("an answer").status(), 400);
    client().get(format!("{}/no/such/page?of=ada", replica.url)).send().await.expect("an answer");

    let answer = client().get(&url).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    let text = answer.text().await.expect("text");
    for line in [
        r#"picard_http_requests_total{method="POST",route="/api/tools",status="200"} 3"#,
        r#"picard_http_request_duration_seconds_count{method="POST",route="/api/tools"} 5"#,
        r#"picard_http_requests_total{method="GET",route="-",status="404"} 1"#,
        r#"picard_tool_calls_total{outcome="ok",tool="query_memory"} 3"#,
        r#"picard_tool_calls_total{outcome="insufficient_scope",tool="submit_memory"} 1"#,
        r#"picard_tool_calls_total{outcome="unknown_tool",tool="unknown"} 1"#,
        r#"picard_searches_total{mode="hybrid"} 2"#,
        r#"picard_searches_total{mode="keyword"} 1"#,
        r#"picard_query_vectors_total{outcome="hit"} 1"#,
        r#"picard_query_vectors_total{outcome="miss"} 1"#,
        r#"picard_token_requests_total{grant_type="refresh_token",outcome="invalid_grant"} 1"#,
        "picard_database_up 1",
        "picard_background_tasks_up 1",
    ] {
        assert!(text.lines().any(|given| given == line), "{line} is missing in:\n{text}");
    }
    for name in ["picard_database_connections{state=\"idle\"}", "picard_search_memory_bytes", "process_resident_memory_bytes"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}");
    }
    for private in ["walrus", ada.user_id.as_str(), "4711", "no/such"] {
        assert!(!text.contains(private), "figures say nothing about people: {private}");
    }
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_dashboard_and_the_alerts_ask_for_what_there_is(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (replica, url) = observed(&server).await;
    assert_eq!(call(&replica, &ada, "query_memory", json!({ "query": "tea" })).await, 200);
    let figures = client().get(&url).send().await.expect("an answer").text().await.expect("text");
    let there_is = |name: &str| {
        let name = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        figures.contains(&format!("# TYPE {name} "))
    };

    for (file, least) in [("docs/grafana-dashboard.json", 15), ("docs/prometheus-rules.yml", 8)] {
        let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("a file of the project");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let named: BTreeSet<&str> = words.filter(|word| word.starts_with("picard_") || word.starts_with("process_")).collect();
        // Counters with labels are there once something was counted: these are not, in this test.
        let later = ["picard_token_requests_total", "picard_llm_tokens_total", "picard_embeddings_total"];
        let unknown: Vec<&&str> = named.iter().filter(|name| !there_is(name) && !later.contains(name)).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
        assert!(named.len() >= least, "{file} asks for {} figures", named.len());
    }
    let dashboard = include_str!("../../../../docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let ids: BTreeSet<i64> =
        dashboard["panels"].as_array().expect("panels").iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().expect("panels").len(), "each has an id of its own");
    replica.stop().await;
}

/// A request with a large body of which nothing comes.
async fn unfinished(replica: &Replica, person: &Person) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt as _;
    let address = replica.url.strip_prefix("http://").expect("a URL");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /api/tools HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{{",
        person.token
    );
    stream.write_all(head.as_bytes()).await.expect("a request");
    stream
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_refused_before_its_route_is_counted_as_the_routes_ops_07(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (replica, url) = observed(&server).await;
    let mut crowd = Vec::new();
    for _ in 0..8 {
        crowd.push(unfinished(&replica, &ada).await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    let status = call(&replica, &ada, "submit_memory", json!({ "text": "x".repeat(70_000) })).await;

    assert_eq!(status, 503, "FLT-24: there is no room for a ninth");
    let text = client().get(&url).send().await.expect("an answer").text().await.expect("text");
    let line = r#"picard_http_requests_total{method="POST",route="/api/tools",status="503"} 1"#;
    assert!(text.lines().any(|given| given == line), "OPS-07: {line} is missing in:\n{text}");
    drop(crowd);
}
