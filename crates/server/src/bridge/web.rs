//! The bridge's HTTP client, and which addresses it may talk to.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::{Host, Url};

/// The bridge's one client. Nothing limits how long an answer may take: streams stay open, and the MCP client has limits
/// of its own.
#[expect(clippy::disallowed_methods, reason = "the bridge's one client")]
pub(super) fn client(url: &Url) -> Result<Client, String> {
    let builder = Client::builder()
        .connect_timeout(Duration::from_secs(10))
        // Whoever closes a lid leaves streams behind that nobody ends.
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_keepalive_interval(Duration::from_secs(10))
        .tcp_keepalive_retries(3)
        // A redirect would carry the token to another address.
        .redirect(Policy::none())
        .user_agent(concat!("picard-mcp-stdio/", env!("CARGO_PKG_VERSION")));
    // What is on this machine is behind no proxy.
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| format!("the HTTP client cannot be built: {}", cause(&error)))
}

/// Reads the address of a server from the command line.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !is_safe(&url, &url) {
        return Err("must begin with https://, or with http:// for this machine alone".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must have no user name, password or fragment".to_owned());
    }
    Ok(url)
}

/// Whether tokens may go to an address that the server at `base` has named. A server elsewhere may name no address on
/// this machine.
pub(super) fn is_safe(url: &Url, base: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url) && is_loopback(base),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An answer's whole body.
pub(super) async fn body(mut response: Response, most_bytes: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > most_bytes {
            return Err(format!("the answer is larger than {most_bytes} bytes"));
        }
    }
    Ok(body)
}

/// "Connection refused" rather than "error sending request".
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What somebody else wrote, fit for a line of text.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_names_no_address_on_this_machine() {
        let url = |text: &str| Url::parse(text).expect("an address");
        let (near, far) = (url("http://127.0.0.1:8001/mcp"), url("https://a.example/mcp"));

        assert!(is_safe(&url("http://localhost/token"), &near));
        assert!(is_safe(&url("https://b.example/token"), &near));
        assert!(is_safe(&url("https://b.example/token"), &far));
        assert!(!is_safe(&url("http://127.0.0.1/token"), &far));
        assert!(!is_safe(&url("http://b.example/token"), &near));
        assert!(!is_safe(&url("file:///etc/passwd"), &near));
    }

    #[test]
    fn a_strangers_words_stay_on_one_line() {
        assert_eq!(plain("a\r\nb\u{1b}[31m"), "a  b [31m");
    }
}
