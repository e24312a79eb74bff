//! Requests as fast as they are answered, from so many clients at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{self, Body};
use axum::http::{Request, header};
use futures_util::future::try_join_all;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::rest::Person;

/// No answer is longer.
const MOST_BYTES: usize = 16 << 20;

/// Clients that keep their connections. It costs the machine less than the client that everything else here uses.
#[derive(Clone)]
pub(super) struct Load {
    client: Client<HttpConnector, Body>,
    /// No request is sent twice, so that nothing is answered from a cache.
    next: std::sync::Arc<AtomicU64>,
}

impl Load {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(64).build(connector);
        Self { client, next: std::sync::Arc::default() }
    }

    /// So many clients for so long, each with the next number's request as soon as it has its answer: answers a second.
    pub(super) async fn rate(
        &self,
        clients: usize,
        time: Duration,
        request: impl Fn(u64) -> Result<Request<Body>, Problem>,
    ) -> Result<f64, Problem> {
        let began = Instant::now();
        let client = async || {
            let mut answered = 0_u32;
            while began.elapsed() < time {
                self.send(request(self.next.fetch_add(1, Ordering::Relaxed))?).await?;
                answered += 1;
            }
            Ok::<_, Problem>(f64::from(answered))
        };
        let answered: f64 = try_join_all((0..clients).map(|_| client())).await?.into_iter().sum();
        Ok(answered / began.elapsed().as_secs_f64())
    }

    /// One request, and how long its whole answer took.
    pub(super) async fn time(&self, request: impl Fn(u64) -> Result<Request<Body>, Problem>) -> Result<Duration, Problem> {
        let request = request(self.next.fetch_add(1, Ordering::Relaxed))?;
        let began = Instant::now();
        self.send(request).await?;
        Ok(began.elapsed())
    }

    async fn send(&self, request: Request<Body>) -> Result<(), Problem> {
        let path = request.uri().path().to_owned();
        let response = self.client.request(request).await;
        let response = response.map_err(|error| Problem::from_error(&format!("ask for {path}"), &error))?;
        let status = response.status();
        let answer = body::to_bytes(Body::new(response.into_body()), MOST_BYTES).await;
        let answer = answer.map_err(|error| Problem::from_error(&format!("read the answer of {path}"), &error))?;
        if status.is_success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer).chars().take(300).collect::<String>();
        Err(Problem::new(format!("{path} is answered with {status}: {said}")))
    }
}

/// A call of a tool.
pub(super) fn call(server_url: &str, person: &Person, tool: &str, data: &Value) -> Result<Request<Body>, Problem> {
    let body = json!({ "tool": tool, "data": data }).to_string();
    Request::post(format!("{server_url}/api/tools"))
        .header(header::AUTHORIZATION, format!("Bearer {}", person.access_token()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| Problem::from_error("make a request", &error))
}

/// A plain request.
pub(super) fn get(url: &str) -> Result<Request<Body>, Problem> {
    Request::get(url).body(Body::empty()).map_err(|error| Problem::from_error("make a request", &error))
}
