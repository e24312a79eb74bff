//! A message's journey: to the server, and its answers back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::access::{Access, Need};
use super::answer::{Failure, Refusal};
use super::message::Message;
use super::open::{OpenRequest, OpenRequests};
use super::session::{Session, SessionKey, given_id};
use super::stdio::Output;
use super::web::{self, cause};

/// No answer is larger.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// The longest wait that a client is not told of.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long to wait when the server does not say.
const USUAL_WAIT: Duration = Duration::from_secs(1);
/// How often one message may be sent with another token: one that another bridge has got may have ended already.
const MOST_TOKENS: u8 = 2;
/// How long a session's end may take.
const LAST_REQUEST: Duration = Duration::from_secs(2);
/// How long the server may take to begin a session again.
const BEGINNING: Duration = Duration::from_secs(30);

/// Everything that messages under way share.
pub(super) struct Relay {
    pub(super) http: Client,
    pub(super) url: Url,
    pub(super) access: Arc<Access>,
    pub(super) session: Session,
    output: Output,
    open: Arc<OpenRequests>,
    beginning_again: Mutex<()>,
}

/// What a message was sent with.
struct Sent {
    session: SessionKey,
    token: Option<SecretString>,
}

/// What was tried already.
#[derive(Default)]
struct Tries {
    tokens: u8,
    has_stepped_up: bool,
    has_begun_again: bool,
    has_waited: bool,
}

/// What a successful answer brings.
enum Kind {
    Nothing,
    Json,
    Stream,
    Other,
}

impl Relay {
    /// Relays to the server at `url`.
    pub(super) fn new(http: Client, url: Url, access: Arc<Access>, output: Output) -> Self {
        let (session, open, beginning_again) = (Session::default(), Arc::default(), Mutex::default());
        Self { http, url, access, session, output, open, beginning_again }
    }

    /// Resolves when nobody reads the answers any more.
    pub(super) async fn is_unheard(&self) {
        self.output.closed().await;
    }

    /// Notes that a message is under way.
    pub(super) fn begin(&self, message: &Message) -> OpenRequest {
        if let Some(program) = message.program() {
            self.access.meet(program);
        }
        self.open.begin(message)
    }

    /// Deals with a message that the server is not told: since revision 2026-07-28, a request is cancelled by dropping
    /// its connection, and there is no other way.
    pub(super) fn deals_with(&self, message: &Message) -> bool {
        let Some(key) = message.cancelled() else { return false };
        match self.open.is_stateless(key) {
            Some(true) => {
                self.open.stop(key);
                true
            }
            Some(false) => false,
            // It was answered meanwhile. Only a session's server could have a use for that.
            None => !self.session.is_begun(),
        }
    }

    /// Drops all streams that have no end.
    pub(super) fn end_subscriptions(&self) {
        self.open.stop_subscriptions();
    }

    /// Ends the session.
    pub(super) async fn end(&self) {
        self.session.stop_listening();
        let session = self.session.key();
        if session.id.is_none() {
            return;
        }
        let mut request = self.http.delete(self.url.clone()).headers(session.headers()).timeout(LAST_REQUEST);
        if let Some(token) = self.access.token() {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Err(error) = request.send().await {
            tracing::debug!(error = cause(&error), "The session could not be ended.");
        }
    }

    /// Sends a message and prints what comes back; whatever goes wrong is told to the client.
    pub(super) fn deliver<'a>(self: &'a Arc<Self>, message: &'a Arc<Message>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let outcome = self.post(message).await;
            // The server knows by now that nobody waits.
            if let Some(key) = message.cancelled() {
                self.open.stop(key);
            }
            match (outcome, &message.id) {
                (Ok(()), _) => {}
                (Err(failure), Some(id)) => self.print(failure.answer(id)).await,
                (Err(failure), None) => tracing::warn!("A message was lost: {failure}"),
            }
        })
    }

    pub(super) async fn print(&self, message: Vec<u8>) {
        self.output.print(message).await;
    }

    async fn post(self: &Arc<Self>, message: &Arc<Message>) -> Result<(), Failure> {
        let mut tries = Tries::default();
        loop {
            let sent = Sent { session: message.session(self.session.key()), token: self.access.token() };
            let response = self.send(message, &sent).await?;
            if response.status().is_success() {
                return self.take(message, &sent, response).await;
            }
            let refusal = Refusal::read(response).await;
            if !self.mend(&sent, &refusal, &mut tries).await? {
                return self.refuse(message, &refusal).await;
            }
        }
    }

    async fn send(&self, message: &Message, sent: &Sent) -> Result<Response, Failure> {
        let request = self.http.post(self.url.clone()).headers(message.headers(&sent.session)).body(message.text.clone());
        let request = match &sent.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        request.send().await.map_err(|error| Failure::of_network(&self.url, &error))
    }

    /// Does what a refusal asks for; says whether the message can be sent again.
    async fn mend(self: &Arc<Self>, sent: &Sent, refusal: &Refusal, tries: &mut Tries) -> Result<bool, Failure> {
        let (token, challenge) = (sent.token.clone(), refusal.challenge.clone());
        match refusal.status {
            StatusCode::UNAUTHORIZED if tries.tokens < MOST_TOKENS => {
                tries.tokens += 1;
                self.access.renew(Need::of_token(token, challenge)).await.map_err(Failure::new)?;
            }
            StatusCode::FORBIDDEN if refusal.challenge.asks_for_more() && !tries.has_stepped_up => {
                tries.has_stepped_up = true;
                self.access.renew(Need::of_scope(token, challenge)).await.map_err(Failure::new)?;
            }
            StatusCode::NOT_FOUND if sent.session.id.is_some() && !tries.has_begun_again => {
                tries.has_begun_again = true;
                self.begin_again(&sent.session).await?;
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if !tries.has_waited => {
                tries.has_waited = true;
                let wait = refusal.retry_after.unwrap_or(USUAL_WAIT);
                if wait > LONGEST_WAIT {
                    return Ok(false);
                }
                tokio::time::sleep(wait).await;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Tells the client of a refusal: in the server's words if those are the protocol's.
    async fn refuse(&self, message: &Message, refusal: &Refusal) -> Result<(), Failure> {
        let is_request = message.id.is_some() || !message.is_object;
        match refusal.error(message.id.as_ref()).filter(|_| is_request) {
            Some(error) => {
                self.print(error).await;
                Ok(())
            }
            None => Err(refusal.failure()),
        }
    }

    /// Prints a successful answer.
    async fn take(self: &Arc<Self>, message: &Arc<Message>, sent: &Sent, response: Response) -> Result<(), Failure> {
        if message.is("initialize") {
            self.session.begin(message, given_id(response.headers()));
        }
        match kind(&response) {
            Kind::Json => {
                let answer =
                    web::body(response, MOST_BYTES).await.map_err(|why| Failure::new(format!("The answer broke off: {why}.")))?;
                self.pass_on(message, answer).await;
            }
            Kind::Stream => self.follow(message, &sent.session, response).await?,
            Kind::Nothing | Kind::Other if message.id.is_none() => {}
            Kind::Nothing | Kind::Other => {
                let text = "The server's answer is neither JSON nor an event stream. Is --url the address of its MCP endpoint?";
                return Err(Failure::new(text));
            }
        }
        if message.is("notifications/initialized") {
            self.session.is_ready(message);
            self.listen();
        }
        Ok(())
    }

    /// Prints a message of the server that came while `message` was answered.
    pub(super) async fn pass_on(&self, message: &Message, answer: Vec<u8>) {
        if message.is("initialize") {
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            if let Some(version) = answer["result"]["protocolVersion"].as_str() {
                self.session.speak(version);
            }
        }
        self.print(answer).await;
    }

    /// Begins a session again that the server has forgotten, once for all messages that find it out.
    pub(super) async fn begin_again(self: &Arc<Self>, lost: &SessionKey) -> Result<(), Failure> {
        let _turn = self.beginning_again.lock().await;
        let Some((initialize, initialized)) = self.session.beginning(lost) else { return Ok(()) };
        tracing::info!("The server has forgotten the session: it is begun again.");
        let first = Sent { session: SessionKey::default(), token: self.access.token() };
        let response = succeeded(self.send(&initialize, &first).await?).await?;
        let id = given_id(response.headers());
        // The client knows the answer; when it has been read, the server is ready for the next message.
        let _ = tokio::time::timeout(BEGINNING, web::body(response, MOST_BYTES)).await;
        let session = self.session.replace_id(id);
        if let Some(initialized) = initialized {
            succeeded(self.send(&initialized, &Sent { session, token: first.token }).await?).await?;
            self.listen();
        }
        Ok(())
    }
}

async fn succeeded(response: Response) -> Result<Response, Failure> {
    if response.status().is_success() { Ok(response) } else { Err(Refusal::read(response).await.failure()) }
}

/// What an answer brings, by its status and type.
fn kind(response: &Response) -> Kind {
    if matches!(response.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Kind::Nothing;
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Kind::Stream
    } else if essence.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else {
        Kind::Other
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
