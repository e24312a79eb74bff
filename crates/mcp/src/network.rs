//! Under which names the door answers, and for web pages of which origins (T1, T2: DNS rebinding).

use http::Uri;

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The values of the Host header that are answered: loopback, the public URL's host, and what the operator adds.
pub(crate) fn hosts(public_url: &str, further: &[String]) -> Vec<String> {
    let public = public_url.parse::<Uri>().ok();
    let own = LOOPBACK.into_iter().chain(public.as_ref().and_then(Uri::host));
    own.chain(further.iter().map(String::as_str)).map(str::to_owned).collect()
}

/// The values of the Origin header that are answered: the server's own, and what the operator adds. A server that is
/// only for this machine answers pages of this machine, such as an inspector's or a proxy's on another port.
pub(crate) fn origins(public_url: &str, further: &[String]) -> Vec<String> {
    let own = with_port(public_url);
    let public = own.parse::<Uri>().unwrap_or_default();
    let is_local = public.host().is_some_and(|host| LOOPBACK.contains(&host));
    let local = LOOPBACK.iter().filter(|_| is_local).map(|name| format!("http://{name}:*"));
    let further = further.iter().map(|origin| with_port(origin));
    std::iter::once(own.clone()).chain(local).chain(further).collect()
}

/// Whether the door answers pages of this origin; `origins` are those of [`origins`].
pub(crate) fn is_answered(origins: &[String], origin: &str) -> bool {
    let origin = with_port(origin);
    let fits = |allowed: &String| match allowed.strip_suffix(":*") {
        Some(host) => origin.strip_prefix(host).is_some_and(|rest| rest.starts_with(':')),
        None => *allowed == origin,
    };
    origins.iter().any(fits)
}

/// An origin with its port; rmcp would let one without a port stand for all ports.
fn with_port(origin: &str) -> String {
    let uri = origin.trim().parse::<Uri>().unwrap_or_default();
    let (scheme, default) = match uri.scheme_str() {
        Some("https") => ("https", 443),
        Some("http") => ("http", 80),
        _ => return origin.to_owned(),
    };
    match uri.host() {
        Some(host) if !origin.ends_with(":*") => {
            format!("{scheme}://{host}:{}", uri.port_u16().unwrap_or(default))
        }
        _ => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_name_and_loopback_are_always_answered() {
        let hosts = hosts("https://picard.example", &["mcp.internal:8443".to_owned()]);
        assert_eq!(hosts, ["localhost", "127.0.0.1", "[::1]", "picard.example", "mcp.internal:8443"], "T2");
    }

    #[test]
    fn an_origin_always_has_a_port() {
        let further = ["https://app.example", "http://localhost:*", "https://app.example:8443", "null"].map(str::to_owned);
        let origins = origins("https://picard.example", &further);
        assert_eq!(
            origins,
            ["https://picard.example:443", "https://app.example:443", "http://localhost:*", "https://app.example:8443", "null"],
            "T1"
        );
    }

    #[test]
    fn a_page_is_answered_by_its_whole_origin() {
        let origins = origins("http://localhost:8001", &["https://app.example".to_owned()]);
        for good in
            ["https://app.example", "https://app.example:443", "http://localhost:5173", "http://[::1]:80", "http://127.0.0.1"]
        {
            assert!(is_answered(&origins, good), "{good}");
        }
        for bad in
            ["https://app.example:8443", "http://app.example", "http://localhost.evil.example", "null", "https://localhost:5173"]
        {
            assert!(!is_answered(&origins, bad), "INP-13 {bad}");
        }
    }

    #[test]
    fn a_server_for_this_machine_answers_pages_of_this_machine() {
        let own = "http://127.0.0.1:8001";
        let local = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
        assert_eq!(origins(own, &[]), [own, local[0], local[1], local[2]]);
    }
}
