//! Event streams: the answer to a request, and what the server says of itself in a session.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Response, StatusCode};

use super::access::Need;
use super::answer::{Failure, Refusal};
use super::message::Message;
use super::relay::Relay;
use super::session::{SessionKey, put};
use super::sse::{Decoder, Event};
use super::web::cause;

/// How long to wait before a stream is opened again, when the server does not say.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often an answer is looked for where nothing is.
const MOST_TRIES: u8 = 3;
/// How long a stream that has brought the answer may take to end, so that its connection can be used again.
const AFTER_ANSWER: Duration = Duration::from_secs(1);

/// How far a stream has come.
#[derive(Debug, Default)]
struct Place {
    last_id: Option<String>,
    retry: Option<Duration>,
    is_answered: bool,
}

impl Place {
    fn note(&mut self, event: &Event) {
        if let Some(id) = &event.id {
            // An empty id means that there is nothing to go on from.
            self.last_id = Some(id.clone()).filter(|id| !id.is_empty());
        }
        self.retry = event.retry.or(self.retry);
    }

    fn pause(&self) -> Duration {
        self.retry.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE)
    }
}

/// Why a stream did not open.
enum Closed {
    /// The server was not reached.
    Away(Failure),
    /// It does not want to.
    Refused(Box<Refusal>),
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Away(failure) => failure,
            Closed::Refused(refusal) => refusal.failure(),
        }
    }
}

impl Relay {
    /// Prints the stream that answers a request, across interruptions if the server can go on where it ended.
    pub(super) async fn follow(&self, message: &Message, session: &SessionKey, mut response: Response) -> Result<(), Failure> {
        let mut place = Place::default();
        let mut tries = 0;
        loop {
            let has_spoken = self.read_stream(response, &mut place, Some(message)).await;
            if place.is_answered || message.id.is_none() {
                return Ok(());
            }
            tries = if has_spoken { 0 } else { tries + 1 };
            if session.id.is_none() || place.last_id.is_none() || tries >= MOST_TRIES {
                return Err(Failure::new("The connection to the Picard server was lost before the answer came."));
            }
            tokio::time::sleep(place.pause()).await;
            response = self.open_stream(session, &place, self.access.token().as_ref()).await?;
        }
    }

    /// Listens to what the server says of itself for as long as the session lasts.
    pub(super) fn listen(self: &Arc<Self>) {
        let session = self.session.key();
        if session.id.is_some() {
            let listening = tokio::spawn(Arc::clone(self).keep_listening(session));
            self.session.listen(listening.abort_handle());
        }
    }

    /// The type is written out because a session that is begun again is listened to from in here.
    fn keep_listening(self: Arc<Self>, session: SessionKey) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut place = Place::default();
            let mut pause = FIRST_PAUSE;
            let mut was_open = false;
            loop {
                let token = self.access.token();
                match self.open_stream(&session, &place, token.as_ref()).await {
                    Ok(response) => {
                        was_open = true;
                        if self.read_stream(response, &mut place, None).await {
                            pause = place.pause();
                        } else {
                            // It may be that the server cannot go on there, and would say nothing ever again.
                            place.last_id = None;
                        }
                    }
                    Err(Closed::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND && was_open => {
                        if let Err(failure) = self.begin_again(&session).await {
                            tracing::warn!("The session cannot be begun again: {failure}");
                        }
                        return;
                    }
                    Err(Closed::Refused(refusal)) => {
                        if !self.may_try_again(&refusal, token.as_ref()).await {
                            return;
                        }
                    }
                    Err(Closed::Away(failure)) => tracing::debug!("{failure}"),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
    }

    /// Whether the stream may open another time. Waits for a token if that is what it takes: nobody is asked to sign in
    /// for something that they did not do.
    async fn may_try_again(&self, refusal: &Refusal, token: Option<&SecretString>) -> bool {
        match refusal.status {
            StatusCode::UNAUTHORIZED => {
                let need = Need::of_token(token.cloned(), refusal.challenge.clone()).quietly();
                if self.access.renew(need).await.is_err() {
                    self.access.changed(token).await;
                }
                true
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => true,
            status => status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// Opens a session's stream, from where another one has ended.
    async fn open_stream(&self, session: &SessionKey, place: &Place, token: Option<&SecretString>) -> Result<Response, Closed> {
        let mut headers = session.headers();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        put(&mut headers, "last-event-id", place.last_id.as_deref());
        let request = self.http.get(self.url.clone()).headers(headers);
        let request = match token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let response = request.send().await.map_err(|error| Closed::Away(Failure::of_network(&self.url, &error)))?;
        if response.status().is_success() { Ok(response) } else { Err(Closed::Refused(Box::new(Refusal::read(response).await))) }
    }

    /// Prints a stream until it ends in whatever way; says whether there was anything in it, be it a sign of life.
    async fn read_stream(&self, mut response: Response, place: &mut Place, message: Option<&Message>) -> bool {
        let mut decoder = Decoder::default();
        let mut has_spoken = false;
        loop {
            let chunk = if place.is_answered {
                tokio::time::timeout(AFTER_ANSWER, response.chunk()).await.unwrap_or(Ok(None))
            } else {
                response.chunk().await
            };
            let chunk = match chunk {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return has_spoken,
                Err(error) => {
                    tracing::debug!(error = cause(&error), "A stream broke.");
                    return has_spoken;
                }
            };
            has_spoken = true;
            for event in decoder.push(&chunk) {
                place.note(&event);
                self.pass_event(event, place, message).await;
            }
        }
    }

    async fn pass_event(&self, event: Event, place: &mut Place, message: Option<&Message>) {
        if event.data.is_empty() {
            return;
        }
        match message {
            Some(message) => {
                place.is_answered |= message.is_answered_by(&event.data);
                self.pass_on(message, event.data).await;
            }
            None => self.print(event.data).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_behind_the_last_event() {
        let event = |id: Option<&str>, retry: Option<u64>| Event {
            data: Vec::new(),
            id: id.map(str::to_owned),
            retry: retry.map(Duration::from_millis),
        };
        let mut place = Place::default();
        assert_eq!((place.last_id.as_deref(), place.pause()), (None, FIRST_PAUSE));

        place.note(&event(Some("0/7"), Some(3_000)));
        place.note(&event(None, None));
        assert_eq!((place.last_id.as_deref(), place.pause()), (Some("0/7"), Duration::from_secs(3)));

        place.note(&event(Some(""), Some(3_600_000)));
        assert_eq!((place.last_id.as_deref(), place.pause()), (None, LONGEST_PAUSE));
    }
}
