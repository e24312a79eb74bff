//! `picard-server mcp-stdio`: a bridge for MCP clients that start programs instead of talking HTTP.
//!
//! Each line on standard input is one JSON-RPC message. It goes to the server as it is, of whatever revision; what comes
//! back goes to standard output, one message a line. The bridge adds what a client over HTTP has to do itself: headers,
//! sessions, streams, signing in. It must not know what the messages are about.
//!
//! Start with [`run`], then `relay.rs` for a message's journey and `access.rs` for where its token comes from.

mod access;
mod answer;
mod callback;
mod challenge;
mod discovery;
mod listen;
mod message;
mod oauth;
mod open;
mod relay;
mod session;
mod sign_in;
mod sse;
mod stdio;
mod store;
mod web;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};
use picard_crypto::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::access::Access;
use self::message::Message;
use self::relay::Relay;
use self::store::Store;
use crate::{LogFormat, logging};

/// How the bridge is called.
const NAME: &str = "mcp-stdio";
/// How long answers may still come when no more messages do: clients end a program that takes much longer.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long what was answered may take to be read.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What the bridge is told.
#[derive(Debug, Args)]
pub(crate) struct BridgeOptions {
    /// The address of the server's MCP endpoint, such as https://picard.example.com/mcp.
    #[arg(long, value_parser = web::address)]
    url: Url,

    /// The environment variable that holds an access token; then nobody is asked to sign in.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,

    /// Which log lines are written to standard error, by level and target.
    #[arg(long, env = "RUST_LOG", default_value = "warn,picard_server=info")]
    rust_log: String,
}

/// Joins an MCP client that starts programs to a Picard server elsewhere; the first time, one signs in in the browser.
#[derive(Debug, Parser)]
#[command(name = "picard-server mcp-stdio", bin_name = "picard-server mcp-stdio", version)]
struct BridgeLine {
    #[command(flatten)]
    options: BridgeOptions,
}

/// The bridge's options, if it is the bridge that is called. They are read before the server's own command line,
/// because the bridge runs where nobody has the server's settings.
pub(crate) fn options(arguments: &[OsString]) -> Option<Result<BridgeOptions, clap::Error>> {
    let position = position(arguments)?;
    Some(BridgeLine::try_parse_from(&arguments[position..]).map(|line| line.options))
}

/// Where the bridge's name stands. Only an env file may stand before it, which it does not need.
fn position(arguments: &[OsString]) -> Option<usize> {
    let mut position = 1;
    loop {
        match arguments.get(position)?.to_str()? {
            NAME => return Some(position),
            "--env-file" => position += 2,
            argument if argument.starts_with("--env-file=") => position += 1,
            _ => return None,
        }
    }
}

/// Relays messages until standard input ends, or nobody reads the answers any more.
///
/// # Errors
/// What keeps it from starting. Everything later is answered to the client.
pub(crate) async fn run(options: BridgeOptions) -> Result<(), String> {
    logging::init(LogFormat::Text, &options.rust_log);
    let http = web::client(&options.url)?;
    let access = match options.token_env {
        Some(name) => Access::of_variable(http.clone(), options.url.clone(), token(&name)?, name),
        None => {
            let folder = store::folder(variable).ok_or("set HOME: tokens are kept below it")?;
            Access::of_store(http.clone(), options.url.clone(), Store::new(folder, &options.url))
        }
    };
    let (output, written) = stdio::printer(std::io::stdout());
    let relay = Arc::new(Relay::new(http, options.url, Arc::new(access), output));
    pump(stdio::lines(std::io::stdin()), &relay).await;
    relay.end().await;
    // The printer ends when nobody can give it anything any more.
    drop(relay);
    let _ = tokio::time::timeout(LAST_LINES, written).await;
    Ok(())
}

/// Relays messages at the same time, until there are no more.
async fn pump(mut lines: mpsc::Receiver<Vec<u8>>, relay: &Arc<Relay>) {
    let mut tasks = JoinSet::new();
    let mut opened = CancellationToken::new();
    opened.cancel();
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = relay.is_unheard() => return,
        };
        let Some(line) = line else { break };
        while tasks.try_join_next().is_some() {}
        let message = Arc::new(Message::read(line));
        if relay.deals_with(&message) {
            continue;
        }
        // Nothing may overtake the messages that open a session, which the client sent first.
        let before = opened.clone();
        let opening = message.opens_session().then(|| {
            opened = CancellationToken::new();
            opened.clone().drop_guard()
        });
        let request = relay.begin(&message);
        let relay = Arc::clone(relay);
        tasks.spawn(async move {
            let delivery = async {
                before.cancelled().await;
                relay.deliver(&message).await;
            };
            tokio::select! {
                () = request.stopped() => {}
                () = delivery => {}
            }
            drop(opening);
        });
    }
    relay.end_subscriptions();
    let _ = tokio::time::timeout(LAST_ANSWERS, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client that starts the bridge says in these where to keep things, and the token's variable has any name"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn token(name: &str) -> Result<SecretString, String> {
    let token = variable(name).and_then(|value| value.into_string().ok()).map(|value| value.trim().to_owned());
    token.filter(|token| !token.is_empty()).map(SecretString::from).ok_or_else(|| format!("the variable {name} holds no token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_bridge_is_known_by_its_name_and_needs_no_settings() {
        let options = |words: &[&str]| options(&line(words));

        let plain =
            options(&["picard-server", "mcp-stdio", "--url", "https://a.example/mcp"]).expect("the bridge").expect("good");
        assert_eq!((plain.url.as_str(), plain.token_env), ("https://a.example/mcp", None));
        let named = options(&["picard-server", "--env-file", "x", "mcp-stdio", "--url=http://[::1]:1/mcp", "--token-env", "T"]);
        assert_eq!(named.expect("the bridge").expect("good").token_env.as_deref(), Some("T"));
        assert!(options(&["picard-server", "--env-file=x", "mcp-stdio"]).expect("the bridge").is_err(), "no address");
        for other in
            [&["picard-server"][..], &["picard-server", "serve"], &["picard-server", "--env-file"], &["x", "--url", "mcp-stdio"]]
        {
            assert!(options(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn only_addresses_that_keep_a_token_secret_are_taken() {
        let is_taken =
            |url: &str| options(&line(&["picard-server", "mcp-stdio", "--url", url])).is_some_and(|options| options.is_ok());

        for good in ["https://a.example/mcp", "http://127.0.0.1:8001/mcp", "http://localhost:8001/mcp", "http://[::1]/mcp"] {
            assert!(is_taken(good), "{good}");
        }
        for bad in
            ["http://a.example/mcp", "ftp://a.example", "a.example", "https://ada:x@a.example/mcp", "https://a.example/mcp#x"]
        {
            assert!(!is_taken(bad), "{bad}");
        }
    }
}
