//! Faults of the way to PostgreSQL, brought about by a proxy in between.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

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
    /// The same for connections that are there; those that are made from now on are open.
    SwallowingOld,
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
                    let is_new = *changes.borrow() == State::SwallowingOld;
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_in, far_out, changes.clone(), is_new));
                    tokio::spawn(carry(far_in, near_out, changes.clone(), is_new));
                }
            }
        });
        Self { address, state }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, is_new: bool) {
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
            State::SwallowingOld if is_new => {}
            State::Swallowing | State::SwallowingOld => continue,
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

/// A request may take so long: its limit of 10 s and the look at its token.
const LONGEST: Duration = Duration::from_secs(16);

/// FLT-05: each packet takes longer, so that a write takes many times as long; then each statement takes half a second
/// more. Requests end in time, and what their clients did not wait for ends, too.
pub async fn slow() -> Outcome {
    let (postgres, way, server) = through_proxy().await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 8);
    load.until_success().await;
    way.state.send_replace(State::Slow(Duration::from_millis(50)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    way.state.send_replace(State::Slow(Duration::from_millis(250)));
    tokio::time::sleep(Duration::from_secs(6)).await;
    way.state.send_replace(State::Open);
    let recovery = load.until_success().await;
    let written = load.end().await;
    let mut outcome = Outcome::of("FLT-05 slow way to the database", &postgres.url("picard"), &ada, written).await;
    if outcome.slowest > LONGEST {
        outcome.wrong.push(format!("a request waited for {:?}", outcome.slowest));
    }
    outcome.recovered(recovery, Duration::from_secs(2))
}

/// FLT-05: statements that nobody waits for any more end. They wait for a lock; their clients leave after a second.
pub async fn left() -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 4);
    load.until_success().await;
    let written = load.end().await;
    let mut holder = PgConnection::connect(&postgres.url("picard")).await.expect("a connection");
    let mut watcher = PgConnection::connect(&postgres.url("picard")).await.expect("a connection");
    let mut transaction = holder.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE memories IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.expect("a lock");
    let calls = (0..6).map(|number| {
        let call = json!({ "tool": "submit_memory", "data": { "text": format!("left {number}") } });
        let request = server.post("/api/tools").bearer_auth(&ada.token).json(&call);
        tokio::time::timeout(Duration::from_secs(1), request.send())
    });
    let during = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        waiting(&mut watcher).await
    };
    let (_, at_work) = tokio::join!(futures_util::future::join_all(calls), during);
    let began = Instant::now();
    while waiting(&mut watcher).await > 0 && began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let recovery = began.elapsed();
    transaction.rollback().await.expect("an end");
    let mut outcome = Outcome::of("FLT-05 clients leave in the middle", &server.database_url, &ada, written).await;
    if at_work == 0 {
        outcome.wrong.push("no statement waited for the lock".to_owned());
    }
    // Two seconds for a sign of life, half a second until PostgreSQL sees that the connection has gone.
    outcome.recovered(recovery, Duration::from_secs(4))
}

/// How many statements of the server wait for a lock, without those of its background tasks.
async fn waiting(connection: &mut PgConnection) -> i64 {
    let statement = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'picard-server' AND state = 'active' AND wait_event_type = 'Lock'
            AND query NOT LIKE '%UPDATE embedding_jobs%' AND query NOT LIKE '%imports%'";
    sqlx::query_scalar(statement).fetch_one(connection).await.expect("a number")
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

/// FLT-06: nobody ever says that the connections of before are dead; new ones work.
pub async fn swallowed() -> Outcome {
    let (postgres, way, server) = through_proxy().await;
    let ada = server.sign_in("ada").await;
    let load = Load::begin(&server.url, &ada, 8);
    load.until_success().await;
    way.state.send_replace(State::SwallowingOld);
    let recovery = load.until_success().await;
    // All of them are replaced, not just one.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let written = load.end().await;
    Outcome::of("FLT-06 old connections swallow all", &postgres.url("picard"), &ada, written)
        .await
        .recovered(recovery, Duration::from_secs(15))
}
