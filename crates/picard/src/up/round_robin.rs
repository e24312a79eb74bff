//! A plain proxy in front of several replicas: each request goes to the next one, whoever it is from, so that whatever
//! a replica keeps to itself is noticed (FLT-17).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::problem::Problem;

/// Headers of one connection, which are no business of the next (RFC 9110, section 7.6.1).
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxy; it ends when it is dropped.
pub(super) struct RoundRobin {
    serving: JoinHandle<()>,
}

/// What every request needs.
struct Replicas {
    addresses: Vec<SocketAddr>,
    next: AtomicUsize,
    http: Client<HttpConnector, Body>,
}

impl RoundRobin {
    /// Listens at an address and passes on what comes there; at least one replica must be named.
    pub(super) async fn start(address: SocketAddr, replicas: Vec<SocketAddr>) -> Result<Self, Problem> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| Problem::from_error(&format!("listen on {address}"), &error))?;
        Ok(Self::serve(listener, replicas))
    }

    fn serve(listener: TcpListener, addresses: Vec<SocketAddr>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        let replicas = Arc::new(Replicas { addresses, next: AtomicUsize::new(0), http });
        let router = Router::new().fallback(forward).with_state(replicas);
        let listener = listener.tap_io(|stream| {
            // Streamed answers come in small pieces.
            let _ = stream.set_nodelay(true);
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(cause = %error, "The proxy in front of the replicas failed.");
            }
        });
        Self { serving }
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(
    State(replicas): State<Arc<Replicas>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let number = replicas.next.fetch_add(1, Ordering::Relaxed) % replicas.addresses.len();
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let Ok(uri) = format!("http://{}{path}", replicas.addresses[number]).parse::<Uri>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_of_one_connection(headers);
    if let Ok(from) = HeaderValue::from_str(&peer.ip().to_string()) {
        headers.append(FORWARDED_FOR, from);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    match replicas.http.request(request).await {
        Ok(answer) => {
            let mut answer = answer.map(Body::new);
            remove_of_one_connection(answer.headers_mut());
            answer
        }
        Err(error) => {
            tracing::warn!(cause = %error, replica = number, "A replica did not answer.");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn remove_of_one_connection(headers: &mut HeaderMap) {
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A replica that answers with its name, the host and the addresses that it is told, and the body that it got.
    async fn replica(name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = move |headers: HeaderMap, body: String| async move {
            let told = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            format!("{name} {} {} {body}", told(header::HOST), told(FORWARDED_FOR))
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    #[tokio::test]
    async fn requests_of_one_connection_take_turns_and_keep_host_and_body() {
        let replicas = vec![replica("one").await, replica("two").await];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let _proxy = RoundRobin::serve(listener, replicas);
        let http = crate::rest::client().expect("a client");

        let mut answers = Vec::new();
        for number in 0..4 {
            let sent = http.post(format!("http://{address}/any")).body(format!("body {number}")).send().await;
            answers.push(sent.expect("an answer").text().await.expect("a text"));
        }

        let expected = |name: &str, number: u8| format!("{name} {address} 127.0.0.1 body {number}");
        let expected = [expected("one", 0), expected("two", 1), expected("one", 2), expected("two", 3)];
        assert_eq!(answers, expected, "FLT-17");
    }

    #[tokio::test]
    async fn a_replica_that_is_away_is_a_bad_gateway() {
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let away = free.local_addr().expect("an address");
        drop(free);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let _proxy = RoundRobin::serve(listener, vec![away]);

        let sent = crate::rest::client().expect("a client").get(format!("http://{address}/")).send().await;

        assert_eq!(sent.expect("an answer").status(), StatusCode::BAD_GATEWAY);
    }
}
