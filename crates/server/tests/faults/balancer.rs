//! A balancer as deployments have them: it asks every server whether it is ready, and sends requests to those that are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::kit::client;

/// How often the servers are asked.
const EVERY: Duration = Duration::from_millis(100);
/// How long an answer to that may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub struct Balancer {
    pub url: String,
    servers: Arc<Servers>,
    tasks: [AbortHandle; 2],
}

struct Servers {
    urls: Vec<String>,
    ready: Vec<AtomicBool>,
    next: AtomicUsize,
    http: reqwest::Client,
}

impl Balancer {
    pub async fn of(urls: &[String]) -> Self {
        let servers = Arc::new(Servers {
            urls: urls.to_vec(),
            ready: urls.iter().map(|_| AtomicBool::new(true)).collect(),
            next: AtomicUsize::new(0),
            http: client(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(forward).with_state(Arc::clone(&servers));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        let watching = tokio::spawn(watch(Arc::clone(&servers))).abort_handle();
        Self { url, servers, tasks: [serving, watching] }
    }

    /// Whether it sends requests to this server.
    pub fn sends_to(&self, server: usize) -> bool {
        self.servers.ready[server].load(Ordering::Relaxed)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn watch(servers: Arc<Servers>) {
    loop {
        for (url, ready) in servers.urls.iter().zip(&servers.ready) {
            let asked = servers.http.get(format!("{url}/health/readiness")).timeout(PATIENCE).send().await;
            ready.store(asked.is_ok_and(|answer| answer.status() == 200), Ordering::Relaxed);
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Servers {
    /// The next one that is ready; the next one when none is.
    fn next(&self) -> &str {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.urls.len();
        let mut server = first;
        for _ in 0..self.urls.len() {
            if self.ready[server].load(Ordering::Relaxed) {
                return &self.urls[server];
            }
            server = (server + 1) % self.urls.len();
        }
        &self.urls[first]
    }
}

async fn forward(State(servers): State<Arc<Servers>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = servers.http.request(parts.method, format!("{}{}", servers.next(), parts.uri)).headers(headers).body(body);
    let answer = match sent.send().await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, format!("{error:?}")).into_response(),
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !["transfer-encoding", "connection", "content-length"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    match answer.bytes().await {
        Ok(bytes) => response.body(Body::from(bytes)).expect("a response"),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:?}")).into_response(),
    }
}
