//! A plain proxy in front of several servers: each request goes to the next one, whoever it is from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::client;

/// Runs until it is dropped.
pub struct RoundRobin {
    pub url: String,
    task: AbortHandle,
}

struct Servers {
    urls: Vec<String>,
    next: AtomicUsize,
    http: reqwest::Client,
}

impl RoundRobin {
    pub async fn spawn(urls: &[&str]) -> Self {
        let urls = urls.iter().map(ToString::to_string).collect();
        let servers = Arc::new(Servers { urls, next: AtomicUsize::new(0), http: client() });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(forward).with_state(servers);
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, task }
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(State(servers): State<Arc<Servers>>, request: Request) -> Response {
    let server = &servers.urls[servers.next.fetch_add(1, Ordering::Relaxed) % servers.urls.len()];
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut headers = parts.headers;
    headers.remove("host");
    let forwarded = servers.http.request(parts.method, format!("{server}{}", parts.uri)).headers(headers).body(body);
    let answer = forwarded.send().await.expect("an answer");
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    // Streams are passed on as they come.
    let pieces = futures_util::stream::unfold(answer, async |mut answer| {
        let piece = answer.chunk().await.transpose()?;
        Some((piece, answer))
    });
    response.body(Body::from_stream(pieces)).expect("a response")
}
