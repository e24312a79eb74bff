//! The two addresses: checked before anything else, because a port in use is the most common mishap.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use crate::problem::Problem;

/// Reads `127.0.0.1:8001` or `localhost:8001`.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|_| "write it as ADDRESS:PORT, for example 127.0.0.1:8001".to_owned())?;
    found.next().ok_or_else(|| "this name has no address".to_owned())
}

/// Fails unless both addresses can be listened on. Port 0 becomes a free port.
pub(super) fn check(server: SocketAddr, web: SocketAddr) -> Result<(SocketAddr, SocketAddr), Problem> {
    // Both stay bound until both are known, so that two zeros cannot become the same port.
    let server = bind(server, "--server-addr")?;
    let web = bind(web, "--web-addr")?;
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| Problem::from_error("find the address that was bound", &error))
    };
    Ok((address(&server)?, address(&web)?))
}

fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Problem> {
    TcpListener::bind(address).map_err(|error| explain(address, flag, &error))
}

fn explain(address: SocketAddr, flag: &str, error: &io::Error) -> Problem {
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1000).unwrap_or(8080));
    match error.kind() {
        io::ErrorKind::AddrInUse => Problem::new(format!("{address} is already in use")).advice(format!(
            "stop the program that listens there (`ss -ltnp 'sport = :{}'` shows it; perhaps another picard), or choose another address: `{flag} {other}`",
            address.port()
        )),
        io::ErrorKind::PermissionDenied => Problem::new(format!("this user may not listen on {address}"))
            .advice(format!("choose a port above 1023: `{flag} {other}`")),
        io::ErrorKind::AddrNotAvailable => Problem::new(format!("this machine does not have the address {address}"))
            .advice(format!("choose one that it has, for example `{flag} 127.0.0.1:{}`", address.port())),
        _ => Problem::new(format!("cannot listen on {address}: {error}")).advice(format!("choose another address with {flag}")),
    }
}

/// The URL under which a program on this machine reaches this address.
pub(super) fn local_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_named_with_the_flag_that_changes_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = taken.local_addr().expect("an address");

        let problem = check(address, address).expect_err("in use").to_string();

        assert!(problem.contains(&format!("{address} is already in use")), "{problem}");
        assert!(problem.contains("--server-addr"), "{problem}");
    }

    #[test]
    fn a_program_that_listens_everywhere_is_reached_on_loopback() {
        assert_eq!(local_url(SocketAddr::from(([0, 0, 0, 0], 8001))), "http://127.0.0.1:8001");
    }
}
