//! An answer while it is written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream};
use reqwest::Response;
use tokio::sync::OwnedSemaphorePermit;

use super::breaker::Breaker;
use super::wire::{Chunk, Counts, Events};
use crate::citations::Reader;
use crate::clean::Thoughts;
use crate::{Answered, LlmError, MAX_ANSWER, Piece, Usage, estimate};

/// The most bytes of a whole answer.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How long the count of tokens is waited for after the model has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long everything may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) first_text: Duration,
    pub(super) silence: Duration,
    pub(super) total: Duration,
}

/// Reads an answer.
pub(super) struct Writing {
    response: Response,
    events: Events,
    thoughts: Thoughts,
    reader: Option<Reader>,
    ready: VecDeque<Piece>,
    /// Whether it comes in one piece although a stream was asked for; known from its first byte, whatever the headers say.
    is_whole: Option<bool>,
    /// Whether something of a chat has come.
    has_events: bool,
    bytes: usize,
    input: usize,
    output: usize,
    counts: Option<Counts>,
    model: String,
    has_text: bool,
    /// The model said that it has ended.
    has_ended: bool,
    is_truncated: bool,
}

impl Writing {
    pub(super) fn new(response: Response, model: &str, sources: usize, input: usize) -> Self {
        Self {
            response,
            is_whole: None,
            has_events: false,
            events: Events::default(),
            thoughts: Thoughts::default(),
            reader: Some(Reader::new(sources)),
            ready: VecDeque::new(),
            bytes: 0,
            input,
            output: 0,
            counts: None,
            model: model.to_owned(),
            has_text: false,
            has_ended: false,
            is_truncated: false,
        }
    }

    /// Waits until there is something to show: until then, everything that goes wrong is as if nothing had begun.
    pub(super) async fn first(&mut self) -> Result<(), LlmError> {
        while self.ready.is_empty() {
            self.step().await?;
        }
        Ok(())
    }

    /// The pieces, as they come.
    pub(super) fn pieces(
        self,
        limits: Limits,
        began: Instant,
        breaker: Arc<Breaker>,
        turn: OwnedSemaphorePermit,
    ) -> impl Stream<Item = Result<Piece, LlmError>> + Send + 'static {
        stream::unfold(Some((self, turn)), move |state| {
            let breaker = Arc::clone(&breaker);
            async move {
                let (mut writing, turn) = state?;
                match writing.next(limits, began).await {
                    Ok(done @ Piece::Done(_)) => Some((Ok(done), None)),
                    Ok(piece) => Some((Ok(piece), Some((writing, turn)))),
                    Err(error) => {
                        breaker.record(Some(&error), Instant::now());
                        Some((Err(error), None))
                    }
                }
            }
        })
    }

    async fn next(&mut self, limits: Limits, began: Instant) -> Result<Piece, LlmError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(piece);
            }
            let left = limits.total.saturating_sub(began.elapsed());
            if left.is_zero() {
                self.cut()?;
                continue;
            }
            let silence = if self.has_ended { limits.silence.min(LAST_WORDS) } else { limits.silence };
            match tokio::time::timeout(silence.min(left), self.step()).await {
                Ok(step) => step?,
                // Only a count of tokens or a word of farewell is missing.
                Err(_) if self.has_ended => self.finish()?,
                // It has written for as long as it may: what there is, is an answer.
                Err(_) if left < limits.silence => self.cut()?,
                Err(_) => return Err(LlmError::unavailable(format!("silent for {:?}", limits.silence))),
            }
        }
    }

    /// Reads something more.
    async fn step(&mut self) -> Result<(), LlmError> {
        let bytes = match self.response.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.end(),
            Err(_) if self.has_ended => return self.end(),
            Err(_) => return Err(LlmError::unavailable("the answer broke off")),
        };
        self.bytes += bytes.len();
        if self.bytes > MOST_BYTES {
            return self.cut();
        }
        self.events.push(&bytes)?;
        if self.is_whole.is_none() {
            self.is_whole = self.events.first().map(|byte| byte == b'{');
        }
        if self.is_whole != Some(false) {
            return Ok(());
        }
        while self.reader.is_some()
            && let Some(data) = self.events.next()?
        {
            if data == "[DONE]" {
                self.has_ended = true;
                return self.finish();
            }
            self.take(&Chunk::parse(&data)?)?;
        }
        Ok(())
    }

    fn take(&mut self, chunk: &Chunk) -> Result<(), LlmError> {
        self.has_events = true;
        if let Some(counts) = chunk.usage {
            self.counts = Some(counts);
        }
        if let Some(model) = chunk.model.as_ref().filter(|model| !model.is_empty() && model.len() <= 200) {
            self.model.clone_from(model);
        }
        if let Some(end) = chunk.end() {
            self.has_ended = true;
            self.is_truncated |= end == "length";
        }
        let said = chunk.text();
        self.output += estimate(&said);
        let text = self.thoughts.answer_in(&said);
        self.show(&text)
    }

    fn show(&mut self, text: &str) -> Result<(), LlmError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let text = reader.read(text);
        if !text.is_empty() {
            self.has_text = true;
            self.ready.push_back(Piece::Text(text));
        }
        if reader.length() > MAX_ANSWER { self.cut() } else { Ok(()) }
    }

    /// The connection has ended.
    fn end(&mut self) -> Result<(), LlmError> {
        if self.reader.is_none() {
            return Ok(());
        }
        if self.is_whole == Some(true) {
            let whole = self.events.rest()?;
            self.take(&Chunk::parse(&whole)?)?;
            self.has_ended = true;
        }
        match (self.has_ended, self.has_events) {
            (true, _) => self.finish(),
            (false, true) => Err(LlmError::InvalidAnswer("the stream broke off".to_owned())),
            (false, false) => Err(LlmError::InvalidAnswer("neither a stream nor JSON: is LLM_BASE_URL right?".to_owned())),
        }
    }

    /// Ends the answer here although the model has not.
    fn cut(&mut self) -> Result<(), LlmError> {
        self.is_truncated = true;
        self.done()
    }

    fn finish(&mut self) -> Result<(), LlmError> {
        let rest = self.thoughts.rest();
        self.show(&rest)?;
        self.done()
    }

    fn done(&mut self) -> Result<(), LlmError> {
        let Some(reader) = self.reader.take() else { return Ok(()) };
        let (rest, citations) = reader.finish();
        if !rest.is_empty() {
            self.has_text = true;
            self.ready.push_back(Piece::Text(rest));
        }
        if !self.has_text {
            let why = if self.is_truncated {
                "it ended before there was text: LLM_MAX_TOKENS may be too low"
            } else {
                "there is no text"
            };
            return Err(LlmError::InvalidAnswer(why.to_owned()));
        }
        let estimated = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        let usage = match self.counts {
            Some(counts) => Usage { input: counts.prompt_tokens, output: counts.completion_tokens, is_estimate: false },
            None => Usage { input: estimated(self.input), output: estimated(self.output), is_estimate: true },
        };
        let model = std::mem::take(&mut self.model);
        self.ready.push_back(Piece::Done(Answered { citations, model, usage, is_truncated: self.is_truncated }));
        Ok(())
    }
}
