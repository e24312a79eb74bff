//! Whether a server on this machine is ready: what a container asks its own program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks `/health/readiness` at the address that the server listens on.
///
/// # Errors
/// That it is not ready, or why it cannot be asked.
#[expect(clippy::disallowed_methods, reason = "the one request of a program that ends after it, with a time limit")]
pub(crate) async fn healthy(address: SocketAddr) -> Result<(), String> {
    let url = format!("http://{}/health/readiness", reachable(address));
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(|error| error.to_string())?;
    let answer = client.get(&url).send().await.map_err(|error| format!("no server answers at {url}: {error}"))?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("{url} answers {}", answer.status())) }
}

/// A server that listens everywhere is asked here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        let asked = |address: &str| reachable(address.parse().expect("an address")).to_string();

        assert_eq!(asked("0.0.0.0:8001"), "127.0.0.1:8001");
        assert_eq!(asked("[::]:8001"), "[::1]:8001");
        assert_eq!(asked("10.0.0.7:80"), "10.0.0.7:80");
    }

    #[tokio::test]
    async fn nobody_there_is_not_healthy() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");

        let error = healthy(free).await.expect_err("nobody listens");

        assert!(error.contains("no server answers"), "{error}");
    }
}
