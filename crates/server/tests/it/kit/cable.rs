//! A way to PostgreSQL that can be cut, or take bytes and never bring them anywhere.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Connections end.
    Cut,
    /// Connections stay, and nothing comes.
    Swallowing,
}

/// Ends with the test.
pub struct Cable {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Cable {
    /// The same database over a cable, and the cable.
    pub async fn to(database_url: &str) -> (String, Self) {
        let mut url = url::Url::parse(database_url).expect("a URL");
        let (host, port) = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (way, state) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, host.clone(), port, state.clone()));
            }
        });
        let cable = Self { address, way };
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(cable.address.port())).expect("a port");
        (url.into(), cable)
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

/// Carries one connection until the way is cut.
async fn carry(mut near: TcpStream, host: String, port: u16, mut way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let mut far = TcpStream::connect((host, port)).await.expect("PostgreSQL");
    if *way.borrow() == Way::Open {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
            _ = way.wait_for(|way| *way != Way::Open) => {}
        }
    }
    // What was on its way is lost, so the connection is of no use any more.
    let _ = way.wait_for(|way| *way != Way::Swallowing).await;
}
