//! Where the browser comes back to after signing in: a page on the loopback interface (RFC 8252 section 7.3).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use picard_crypto::constant_time_eq;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::web::plain;

/// As long as the server keeps its consent page open.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the browser may take to get the last page.
const LAST_PAGE: Duration = Duration::from_secs(2);
const PATH: &str = "/callback";
/// Nothing on the pages is loaded or run.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What the answer has to be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// The state that was sent.
    pub(super) state: String,
    /// The authorization server.
    pub(super) issuer: String,
    /// Whether the answer has to name it (RFC 9207).
    pub(super) must_name_issuer: bool,
}

/// The answer of the authorization server, which the browser brings.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Expected {
    /// The code, or why there is none; `None` if it is no answer to this sign-in.
    fn judge(&self, answer: Answer) -> Option<Result<String, String>> {
        if !answer.state.is_some_and(|state| constant_time_eq(state.as_bytes(), self.state.as_bytes())) {
            return None;
        }
        // Otherwise one server could pass its code off as another's (RFC 9207 section 2.4).
        let is_from_issuer = answer.iss.map_or(!self.must_name_issuer, |issuer| issuer == self.issuer);
        Some(match (answer.code, answer.error) {
            _ if !is_from_issuer => Err("the answer comes from another authorization server".to_owned()),
            (_, Some(error)) => Err(plain(&answer.error_description.unwrap_or(error))),
            (Some(code), None) => Ok(code),
            (None, None) => Err("the answer has no code".to_owned()),
        })
    }
}

/// A page that waits for the browser.
#[derive(Debug)]
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

#[derive(Debug)]
struct Waiting {
    expected: Expected,
    outcome: mpsc::Sender<Result<String, String>>,
}

impl Callback {
    /// Listens on the port that was registered if it is free, otherwise on another: servers let the port differ, but
    /// not all of them know.
    pub(super) async fn listen(registered: Option<u16>) -> Result<Self, String> {
        let wanted = match registered {
            Some(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok(),
            None => None,
        };
        let failed = |error: std::io::Error| format!("cannot listen for the browser: {error}");
        let listener = match wanted {
            Some(listener) => listener,
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?,
        };
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where the browser is to come back to.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the code.
    pub(super) async fn code(self, expected: Expected) -> Result<String, String> {
        let (outcome, mut outcomes) = mpsc::channel(1);
        let router = Router::new().route(PATH, get(come_back)).with_state(Arc::new(Waiting { expected, outcome }));
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let listener = self.listener;
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await });
        let outcome = tokio::time::timeout(PATIENCE, outcomes.recv()).await;
        drop(guard);
        let _ = tokio::time::timeout(LAST_PAGE, serving).await;
        match outcome {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err("the page for the browser is gone".to_owned()),
            Err(_) => Err("nobody signed in within ten minutes".to_owned()),
        }
    }
}

async fn come_back(State(waiting): State<Arc<Waiting>>, Query(answer): Query<Answer>) -> Response {
    let Some(outcome) = waiting.expected.judge(answer) else {
        return page(StatusCode::BAD_REQUEST, "Nothing to do", "This answer belongs to no sign-in that is under way.");
    };
    let is_good = outcome.is_ok();
    // The first answer counts.
    let _ = waiting.outcome.try_send(outcome);
    if is_good {
        page(StatusCode::OK, "You are signed in", "You can close this page and go back to your program.")
    } else {
        page(StatusCode::OK, "You are not signed in", "You can close this page. Your program says why it did not work.")
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        // The address holds the code.
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let body = format!("<!doctype html><html lang=\"en\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>");
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(must_name_issuer: bool) -> Expected {
        Expected { state: "s".to_owned(), issuer: "https://a.example".to_owned(), must_name_issuer }
    }

    fn answer(query: &str) -> Answer {
        serde_urlencoded::from_str(query).expect("an answer")
    }

    #[test]
    fn only_the_answer_to_this_sign_in_counts() {
        let judge = |query: &str| expected(true).judge(answer(query));

        assert_eq!(judge("code=c&state=s&iss=https%3A%2F%2Fa.example"), Some(Ok("c".to_owned())));
        for foreign in ["code=c&iss=https://a.example", "code=c&state=t&iss=https://a.example", "error=x&state=", ""] {
            assert_eq!(judge(foreign), None, "{foreign}");
        }
        for bad in ["state=s&iss=https://a.example", "code=c&state=s&iss=https://b.example", "code=c&state=s", "error=x&state=s"]
        {
            assert!(judge(bad).is_some_and(|outcome| outcome.is_err()), "{bad}");
        }
        assert_eq!(expected(false).judge(answer("code=c&state=s")), Some(Ok("c".to_owned())), "a server that never says");
        let denied = "error=access_denied&error_description=The+person%0Asaid+no.&state=s&iss=https://a.example";
        assert_eq!(judge(denied), Some(Err("The person said no.".to_owned())));
    }

    #[tokio::test]
    async fn the_browser_brings_the_code() {
        let callback = Callback::listen(None).await.expect("a port");
        let uri = callback.redirect_uri();
        assert_ne!(Callback::listen(Some(callback.port())).await.expect("another port").port(), callback.port());
        let code = tokio::spawn(callback.code(expected(true)));

        let http = super::super::web::client(&url::Url::parse(&uri).expect("an address")).expect("a client");
        let foreign = http.get(format!("{uri}?code=x&state=x")).send().await.expect("an answer");
        assert_eq!(foreign.status(), 400);
        let good = http.get(format!("{uri}?code=c&state=s&iss=https://a.example")).send().await.expect("an answer");
        assert_eq!((good.status().as_u16(), good.headers()["cache-control"].as_bytes()), (200, &b"no-store"[..]));

        assert_eq!(code.await.expect("no panic"), Ok("c".to_owned()));
    }
}
