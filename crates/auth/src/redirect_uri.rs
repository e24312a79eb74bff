//! Which redirect URIs may be registered, and which requested one is a registered one (RFC 9700 section 2.1, RFC 8252
//! section 7.3).

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest redirect URI in bytes.
const MOST_BYTES: usize = 2_000;

/// Checks a redirect URI for registration: https, or http on the loopback interface; nothing that a browser
/// and a server could read differently (REG-05).
///
/// # Errors
/// What is wrong with it.
pub fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    const KIND: &str = "must be an absolute https URI, or http on 127.0.0.1, [::1] or localhost";
    if uri.len() > MOST_BYTES {
        return Err("must have at most 2,000 bytes");
    }
    if uri.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '\\' | '<' | '>' | '"')) {
        return Err("must not contain white space, wildcards, quotes or backslashes");
    }
    if !uri.is_ascii() {
        return Err("must be written in ASCII (punycode and percent-encoding)");
    }
    let url = Url::parse(uri).map_err(|_| KIND)?;
    if uri.contains('#') {
        return Err("must not have a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() || authority(uri).contains('@') {
        return Err("must not have a user name or a password");
    }
    if !is_plainly_written(uri, &url) {
        return Err("must be written plainly: lower-case host in its usual form, no dot segments");
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) if uri.starts_with("https://") => Ok(()),
        ("http", Some(host)) if uri.starts_with("http://") && is_loopback(&host) => Ok(()),
        _ => Err(KIND),
    }
}

/// Whether host and path stand in the text as every reader would understand them: no missing or numeric host in another
/// spelling, no way up.
fn is_plainly_written(uri: &str, url: &Url) -> bool {
    let authority = authority(uri);
    let host = url.host_str().unwrap_or_default();
    let is_port = |text: &str| text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let is_usual_host = authority.strip_prefix(host).is_some_and(|rest| rest.is_empty() || is_port(rest));
    let rest = uri.split_once("://").map_or("", |(_, rest)| &rest[authority.len()..]);
    let path = rest.split('?').next().unwrap_or_default();
    !host.is_empty() && is_usual_host && (path.is_empty() || path == url.path())
}

fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// Whether the host can only be the machine that the browser runs on.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => *address == Ipv4Addr::LOCALHOST,
        Host::Ipv6(address) => *address == Ipv6Addr::LOCALHOST,
    }
}

/// A redirect URI that a code may be sent to, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    /// The host as people know it, without a port.
    pub host: String,
    /// Scheme, host and port, as a Content-Security-Policy names them.
    pub origin: String,
    /// Whether it leads to a program on the person's own machine.
    pub is_loopback: bool,
}

/// Takes a redirect URI apart.
#[must_use]
pub fn target_of(uri: &str) -> Option<RedirectTarget> {
    let url = Url::parse(uri).ok()?;
    let host = url.host()?;
    Some(RedirectTarget { host: host.to_string(), origin: url.origin().ascii_serialization(), is_loopback: is_loopback(&host) })
}

/// Whether a requested redirect URI is the registered one: byte for byte (RFC 9700 section 4.1.3), except for the port
/// of a program that listens on the loopback interface (RFC 8252 section 7.3; AUT-02, AUT-03).
#[must_use]
pub fn matches_registered(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    match (loopback_parts(registered), loopback_parts(requested)) {
        (Some(registered), Some(requested)) => registered == requested,
        _ => false,
    }
}

/// Host and everything behind the port of a loopback URI that has been written in the plainest way.
fn loopback_parts(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
    let behind = &rest[host.len()..];
    let behind = match behind.strip_prefix(':') {
        Some(port_and_path) => {
            let digits = port_and_path.bytes().take_while(u8::is_ascii_digit).count();
            port_and_path[..digits].parse::<u16>().ok().filter(|port| *port > 0)?;
            &port_and_path[digits..]
        }
        None => behind,
    };
    (behind.is_empty() || behind.starts_with(['/', '?'])).then_some((host, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registered_uri_matches() {
        let registered = "https://app.example.com/cb";
        assert!(matches_registered(registered, registered));
        for other in [
            "https://app.example.com/other",
            "https://app.example.com/cb?bar=foo",
            "https://app.example.com/cb/",
            "https://APP.example.com/cb",
            "https://app.example.com/%2e%2e/cb",
            "https://user@app.example.com/cb",
            "https://app.example.com:444/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com.evil.com/cb",
            "https://badapp.example.com/cb",
            "http://app.example.com/cb",
            "https://app.example.com/cb#x",
            "",
        ] {
            assert!(!matches_registered(registered, other), "AUT-02 {other}");
        }
    }

    #[test]
    fn on_the_loopback_interface_the_port_may_differ_and_nothing_else() {
        let registered = "http://127.0.0.1/cb";
        for good in ["http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb"] {
            assert!(matches_registered(registered, good), "AUT-03 {good}");
        }
        for bad in [
            "http://127.0.0.1:51004/cb?x=1",
            "http://127.0.0.2/cb",
            "http://localhost:51004/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:80@evil.com/cb",
            "http://127.0.0.1.evil.com/cb",
            "http://127.0.0.1:51004/cb/",
            "https://127.0.0.1:51004/cb",
        ] {
            assert!(!matches_registered(registered, bad), "AUT-03 {bad}");
        }
        assert!(matches_registered("http://[::1]:8000/cb?a=b", "http://[::1]:9000/cb?a=b"));
        assert!(matches_registered("http://localhost/cb", "http://localhost:3000/cb"));
    }

    #[test]
    fn https_and_loopback_may_be_registered() {
        for good in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8000/oauth/callback",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "http://localhost:3000",
            "https://app.example.com",
            "https://app.example.com:8443/a%20b?c=d%2Fe",
            "https://xn--bcher-kva.example/cb",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "REG-06 {good}");
        }
    }

    #[test]
    fn everything_else_may_not() {
        let long = format!("https://a.com/{}", "x".repeat(3_000));
        for bad in [
            "http://evil.com/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///x",
            "https://a/cb#frag",
            "https://a@evil.com/",
            "https://@evil.com/",
            "https://*.a.com/",
            "//x/cb",
            "",
            "/cb",
            "https:a.com",
            "https://a/\r\nSet-Cookie:x",
            "https://аpple.com/",
            "http://127.0.0.2/cb",
            "http://localhost.evil.com/cb",
            "HTTPS://a.com/cb\\@b.com",
            "https:///cb",
            "https://A.com/cb",
            "http://2130706433/cb",
            "http://127.1/cb",
            "http://0x7f.1/cb",
            "https://0x7f000001/cb",
            "https://a.example/../cb",
            "https://a.example/./cb",
            "https://a.example/%2e%2e/cb",
            "https://a.example:/cb",
            "https://a.example:99999/cb",
            &long,
        ] {
            assert!(check_redirect_uri(bad).is_err(), "REG-05 {bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in ".{0,200}") {
            let _ = check_redirect_uri(&text);
        }

        #[test]
        fn what_matches_has_the_same_host_path_and_query(
            registered in "(https|http)://(127\\.0\\.0\\.1|localhost|a\\.com)(:[0-9]{1,5})?(/[a-z.%@:]{0,8})?(\\?[a-z=]{0,5})?",
            requested in "(https|http)://(127\\.0\\.0\\.1|localhost|a\\.com)(:[0-9]{1,5})?(/[a-z.%@:]{0,8})?(\\?[a-z=]{0,5})?",
        ) {
            if matches_registered(&registered, &requested) {
                let parsed = |uri: &str| Url::parse(uri).map(|url| {
                    (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.path().to_owned(), url.query().map(str::to_owned))
                });
                proptest::prop_assert_eq!(parsed(&registered), parsed(&requested));
            }
        }
    }
}
