//! Which redirect URIs may be registered (RFC 9700 section 2.1, RFC 8252 section 7.3).

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
    match (url.scheme(), url.host()) {
        ("https", Some(_)) if uri.starts_with("https://") => Ok(()),
        ("http", Some(host)) if uri.starts_with("http://") && is_loopback(&host) => Ok(()),
        _ => Err(KIND),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_may_be_registered() {
        for good in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?tenant=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8000/oauth/callback",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
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
    }
}
