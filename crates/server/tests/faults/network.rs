//! Faults of the way to PostgreSQL, brought about by a proxy in between.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::kit::TestServer;
use crate::kit::postgres::Postgres;
use crate::load::Load;
use crate::outcome::Outcome;

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// They come later.
    Slow(Duration),
    /// They are taken and never come.
    Swallowing,
    /// There is no way: connections end.
    Cut,
}

/// A proxy whose way can be changed while it is used.
struct Way {
    address: SocketAddr,
    state: watch::Sender<State>,
}

impl Way {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, changes) = watch::channel(State::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = TcpStream::connect(&target).await {
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_in, far_out, changes.clone()));
                    tokio::spawn(carry(far_in, near_out, changes.clone()));
                }
            }
        });
        Self { address, state }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            _ = state.wait_for(|state| *state == State::Cut) => return,
        };
        let Ok(count @ 1..) = read else { return };
        let now = *state.borrow();
        match now {
            State::Open => {}
            State::Slow(delay) => tokio::time::sleep(delay).await,
            State::Swallowing => continue,
            State::Cut => return,
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

async fn through_proxy() -> (Postgres, Way, TestServer) {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let mut url = url::Url::parse(&postgres.url("picard")).expect("a URL");
    let way = Way::to(format!("127.0.0.1:{}", url.port().expect("a port"))).await;
    url.set_port(Some(way.address.port())).expect("a port");
    let server = TestServer::spawn_at(url.into(), &[]).await;
    (postgres, way, server)
}

/// FLT-05: each packet takes 50 ms longer, so that a write takes many times as long.
pub async fn slow() -> Outcome {
    let (postgres, way, server) = through_proxy().await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 8);
    load.until_success().await;
    way.state.send_replace(State::Slow(Duration::from_millis(50)));
    tokio::time::sleep(Duration::from_secs(4)).await;
    way.state.send_replace(State::Open);
    let recovery = load.until_success().await;
    let written = load.end().await;
    Outcome::of("FLT-05 slow way to the database", &postgres.url("picard"), &ada, written)
        .await
        .recovered(recovery, Duration::from_secs(2))
}

/// FLT-06: bytes are swallowed, then the connections end.
pub async fn half_open() -> Outcome {
    let (postgres, way, server) = through_proxy().await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 8);
    load.until_success().await;
    way.state.send_replace(State::Swallowing);
    tokio::time::sleep(Duration::from_secs(4)).await;
    way.state.send_replace(State::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    way.state.send_replace(State::Open);
    let recovery = load.until_success().await;
    let written = load.end().await;
    Outcome::of("FLT-06 half-open way to the database", &postgres.url("picard"), &ada, written)
        .await
        .recovered(recovery, Duration::from_secs(2))
}
