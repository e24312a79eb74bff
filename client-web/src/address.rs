//! Where a request comes from, as limits count it. The rules are those of the server, which is reached by HTTP alone.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

use crate::state::AppState;

/// The client's address; of an IPv6 address its network, since whoever has one of these has them all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(Self(neighbourhood(client(peer, &parts.headers, &state.proxies))))
    }
}

/// The networks of a list of addresses and networks, or the entry that is neither.
pub(crate) fn networks(entries: &[String]) -> Result<Vec<IpNet>, &str> {
    let entries = entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty());
    let network = |entry: &str| entry.parse::<IpNet>().ok().or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
    entries.map(|entry| network(entry).ok_or(entry)).collect()
}

/// The last address that a trusted proxy vouches for. What stands further left can be anybody's invention (LOG-07).
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut chain: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    while proxies.iter().any(|network| network.contains(&client)) {
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

/// One household has a whole /64 of IPv6 addresses to try from.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{client, neighbourhood, networks};

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let proxies = networks(&proxies).expect("networks");
        neighbourhood(client(peer.parse().expect("an address"), &headers, &proxies)).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed_log_07() {
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, 1.2.3.4", "10.0.0.3"], &["10.0.0.0/8", ""]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, 1.2.3.4:5678, 172.68.0.9"], &["10.0.0.0/8", "172.64.0.0/13"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &["nonsense"], &["10.0.0.2"]), "10.0.0.2");
        assert_eq!(networks(&["10.0.0.0/8".to_owned(), "proxy".to_owned()]), Err("proxy"));
    }

    #[test]
    fn addresses_of_one_household_count_as_one() {
        assert_eq!(seen("2001:db8:1:2:3:4:5:6", &[], &[]), seen("2001:db8:1:2::9", &[], &[]));
        assert_ne!(seen("2001:db8:1:2::9", &[], &[]), seen("2001:db8:1:3::9", &[], &[]));
        assert_eq!(seen("::ffff:10.0.0.2", &["192.0.2.1"], &["10.0.0.0/8"]), "192.0.2.1");
    }
}
