//! Asking the client something before a request can be answered: in the answer, which the client follows with the same
//! request and its own answers (revision 2026-07-28), or in the middle of the request (older sessions).

use std::time::Duration;

use picard_crypto::SealingKey;
use rmcp::RoleServer;
use rmcp::model::{ClientCapabilities, ErrorData, InputRequests, InputRequiredResult, InputResponses, JsonObject, ServerRequest};
use rmcp::service::{PeerRequestOptions, RequestContext};
use serde_json::Value;

use crate::fixture::{failed, is_modern};
use crate::questions::{self, Questions};

/// How long an older client may think about a question.
const PATIENCE: Duration = Duration::from_secs(20);

/// What has to be asked.
pub(crate) struct Dialogue<'a> {
    /// For what it is asked: a state is good for nothing else.
    pub(crate) name: &'a str,
    /// One round after the other.
    pub(crate) rounds: Vec<Questions>,
    /// Seals the state between rounds; without it every request stands alone, which is enough for one round.
    pub(crate) states: Option<&'a SealingKey>,
}

/// What a request brings along.
pub(crate) struct Brought<'a> {
    pub(crate) context: &'a RequestContext<RoleServer>,
    pub(crate) responses: &'a InputResponses,
    pub(crate) state: Option<&'a str>,
}

/// How far the dialogue has come.
pub(crate) enum Outcome {
    /// Everything has been asked; these are the last round's answers, or an older client's answers to everything.
    Answered(InputResponses),
    /// This has to be answered first.
    Asked(Box<InputRequiredResult>),
}

impl Dialogue<'_> {
    /// Goes on with the dialogue as far as possible.
    pub(crate) async fn hold(&self, brought: &Brought<'_>) -> Result<Outcome, ErrorData> {
        self.require_capabilities(&brought.context.client_capabilities().unwrap_or_default())?;
        if is_modern(brought.context) {
            return self.turn(brought);
        }
        let mut answers = InputResponses::new();
        for (name, question) in self.rounds.iter().flatten() {
            answers.insert((*name).to_owned(), ask(brought.context, question).await?);
        }
        Ok(Outcome::Answered(answers))
    }

    /// Nobody is asked what they did not say they can answer.
    fn require_capabilities(&self, capabilities: &ClientCapabilities) -> Result<(), ErrorData> {
        let all = self.rounds.iter().flatten().map(|(_, question)| question);
        let missing = all.filter(|question| !questions::can_be_asked(question, capabilities));
        let needed: JsonObject = missing.flat_map(questions::needed_capability).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let needed = serde_json::from_value(Value::Object(needed)).map_err(|error| failed(&error))?;
        Err(ErrorData::missing_required_client_capability(needed))
    }

    fn turn(&self, brought: &Brought<'_>) -> Result<Outcome, ErrorData> {
        let Some(round) = self.round(brought.state)? else {
            return self.asked(0);
        };
        match answers(&self.rounds[round], brought.responses) {
            None => self.asked(round),
            Some(answers) if round + 1 == self.rounds.len() => Ok(Outcome::Answered(answers)),
            Some(_) => self.asked(round + 1),
        }
    }

    /// The round that the request's answers belong to; none when nothing has been asked yet.
    fn round(&self, state: Option<&str>) -> Result<Option<usize>, ErrorData> {
        let Some(states) = self.states else {
            return Ok(Some(0));
        };
        let Some(state) = state else {
            return Ok(None);
        };
        let opened = states.open(state).and_then(|state| String::from_utf8(state).ok());
        let round: Option<usize> =
            opened.as_deref().and_then(|state| state.strip_prefix(self.name)?.strip_prefix(' ')?.parse().ok());
        let known = round.filter(|round| *round < self.rounds.len());
        known.map(Some).ok_or_else(|| ErrorData::invalid_params("The request state was not made here for this.", None))
    }

    fn asked(&self, round: usize) -> Result<Outcome, ErrorData> {
        let mut requests = InputRequests::new();
        for (name, question) in &self.rounds[round] {
            let request = serde_json::from_value(question.clone()).map_err(|error| failed(&error))?;
            requests.insert((*name).to_owned(), request);
        }
        let state = self.states.map(|states| states.seal(format!("{} {round}", self.name).as_bytes()));
        Ok(Outcome::Asked(InputRequiredResult::new(Some(requests), state).into()))
    }
}

/// The answers to all of these and to nothing else, unless one is missing or makes no sense.
fn answers(asked: &[(&str, Value)], responses: &InputResponses) -> Option<InputResponses> {
    let mut answers = InputResponses::new();
    for (name, question) in asked {
        let answer = responses.get(*name).filter(|answer| questions::is_answer(question, answer))?;
        answers.insert((*name).to_owned(), answer.clone());
    }
    Some(answers)
}

/// Asks an older client within its session. It has to happen in the request's own task: by it, rmcp knows on which
/// stream the question goes out.
async fn ask(context: &RequestContext<RoleServer>, question: &Value) -> Result<Value, ErrorData> {
    let request: ServerRequest = serde_json::from_value(question.clone()).map_err(|error| failed(&error))?;
    let options = PeerRequestOptions::with_timeout(PATIENCE);
    let sent = context.peer.send_request_with_option(request, options).await.map_err(|error| failed(&error))?;
    let answer = tokio::select! {
        () = context.ct.cancelled() => return Err(failed(&"nobody waits for the answer any more")),
        answer = sent.await_response() => answer.map_err(|error| failed(&error))?,
    };
    serde_json::to_value(answer).map_err(|error| failed(&error))
}
