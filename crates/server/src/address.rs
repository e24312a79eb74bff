//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::{IpNet, Ipv6Net};

use crate::state::AppState;

/// The client's address, as limits count it: an IPv4 address, or the network of an IPv6 address, since whoever has one
/// of these has them all.
pub(crate) struct ClientAddress(pub(crate) String);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self(of(parts, state)))
    }
}

/// The same for who has the request's parts at hand.
pub(crate) fn of(parts: &Parts, state: &AppState) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    peer.map_or_else(|| "-".to_owned(), |peer| counted(client(peer, &parts.headers, &state.proxies)))
}

/// The last address that a trusted proxy vouches for. What stands further left can be anybody's invention (LOG-07).
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut chain: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    while is_trusted(&client) {
        match chain.pop().and_then(parse) {
            Some(before) => client = before.to_canonical(),
            None => break,
        }
    }
    client
}

/// Some proxies write the port, too.
fn parse(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn counted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            Ipv6Net::new(address, 64).map_or_else(|_| address.to_string(), |network| network.trunc().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().expect("a network")).collect();
        counted(client(peer.parse().expect("an address"), &headers, &proxies))
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9", "LOG-07");
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4", "LOG-07");
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, 1.2.3.4", "10.0.0.3"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &["1.2.3.4:5678"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(seen("::ffff:10.0.0.2", &["2001:db8:1:2:3::4"], &["10.0.0.0/8"]), "2001:db8:1:2::/64");
    }
}
