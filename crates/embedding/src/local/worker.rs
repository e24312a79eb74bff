//! The thread that owns the model.
//!
//! It works in passes of a limited number of pieces. Each pass takes texts from all waiting requests in turn:
//! single requests that arrive together share a pass, and a search never waits for the end of a long import.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use picard_domain::Vector;
use tokio::sync::{mpsc, oneshot};

use super::bert::Bert;
use super::pieces::Pieces;
use crate::EmbedError;

/// Texts, and where their vectors go.
pub(super) struct Request {
    pub(super) texts: Vec<String>,
    pub(super) reply: oneshot::Sender<Result<Vec<Vector>, EmbedError>>,
}

/// Enough rows for the matrix products to be efficient, few enough to stay in the processor's cache
/// and to let the next request in soon.
const PIECES_PER_PASS: usize = 512;

/// Requests taken in at a time; the others wait in the queue.
const MAX_WAITING: usize = 64;

/// Starts the thread. It ends when every sender is gone and all that was asked is answered.
pub(super) fn start(bert: Bert, pieces: Arc<Pieces>, mut requests: mpsc::Receiver<Request>) -> std::io::Result<JoinHandle<()>> {
    let work = move || {
        let mut waiting: Vec<Waiting> = Vec::new();
        loop {
            if waiting.is_empty() {
                let Some(request) = requests.blocking_recv() else {
                    return;
                };
                waiting.push(Waiting::new(request, &pieces));
            }
            while waiting.len() < MAX_WAITING
                && let Ok(request) = requests.try_recv()
            {
                waiting.push(Waiting::new(request, &pieces));
            }
            waiting = pass(&bert, waiting);
        }
    };
    std::thread::Builder::new().name("embedding".to_owned()).spawn(work)
}

/// A request that is being worked on.
struct Waiting {
    texts: Vec<Vec<u32>>,
    vectors: Vec<Vector>,
    failure: Option<&'static str>,
    reply: oneshot::Sender<Result<Vec<Vector>, EmbedError>>,
}

impl Waiting {
    fn new(request: Request, pieces: &Pieces) -> Self {
        let texts: Option<Vec<_>> = guarded(|| Some(request.texts.iter().map(|text| pieces.ids(text)).collect()));
        Self {
            vectors: Vec::with_capacity(request.texts.len()),
            failure: texts.is_none().then_some("a text cannot be cut into word pieces"),
            texts: texts.unwrap_or_default(),
            reply: request.reply,
        }
    }

    /// Answers and returns `None` when there is nothing left to do.
    fn settle(self) -> Option<Self> {
        let answer = match self.failure {
            Some(reason) => Err(EmbedError::InvalidAnswer(reason.to_owned())),
            None if self.vectors.len() < self.texts.len() => return Some(self),
            None => Ok(self.vectors),
        };
        // Whoever asked may have stopped waiting.
        let _ = self.reply.send(answer);
        None
    }
}

/// Runs one pass and returns what is still waiting after it.
fn pass(bert: &Bert, mut waiting: Vec<Waiting>) -> Vec<Waiting> {
    waiting.retain(|request| !request.reply.is_closed());
    let chosen = choose(&waiting);
    let texts: Vec<&[u32]> = chosen.iter().map(|(request, text)| waiting[*request].texts[*text].as_slice()).collect();
    let rows = guarded(|| bert.embed(&texts));

    let mut rows = rows.unwrap_or_default().into_iter();
    for (request, _) in chosen {
        let request = &mut waiting[request];
        match rows.next().map(Vector::new) {
            Some(Some(vector)) => request.vectors.push(vector),
            Some(None) => request.failure = Some("a vector without a direction"),
            None => request.failure = Some("the forward pass failed"),
        }
    }
    waiting.into_iter().filter_map(Waiting::settle).collect()
}

/// The texts of the next pass as (request, text): one of each request in turn until the pass is full.
fn choose(waiting: &[Waiting]) -> Vec<(usize, usize)> {
    let mut chosen = Vec::new();
    let mut pieces = 0;
    let most = waiting.iter().map(|request| request.texts.len()).max();
    for round in 0..most.unwrap_or(0) {
        for (index, request) in waiting.iter().enumerate() {
            let Some(text) = request.texts.get(request.vectors.len() + round) else {
                continue;
            };
            if !chosen.is_empty() && pieces + text.len() > PIECES_PER_PASS {
                return chosen;
            }
            pieces += text.len();
            chosen.push((index, request.vectors.len() + round));
        }
    }
    chosen
}

/// A text that makes a library panic must not take the model away from everyone else.
fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lengths: &[usize]) -> (Waiting, oneshot::Receiver<Result<Vec<Vector>, EmbedError>>) {
        let (reply, answer) = oneshot::channel();
        let request =
            Waiting { texts: lengths.iter().map(|length| vec![0; *length]).collect(), vectors: Vec::new(), failure: None, reply };
        (request, answer)
    }

    #[test]
    fn a_single_text_shares_the_pass_of_a_long_request() {
        let (import, _import_answer) = waiting(&[250; 100]);
        let (search, _search_answer) = waiting(&[10]);

        let chosen = choose(&[import, search]);

        assert_eq!(chosen, [(0, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn a_text_longer_than_a_pass_gets_one_of_its_own() {
        let (request, _answer) = waiting(&[PIECES_PER_PASS + 1, 10]);

        assert_eq!(choose(&[request]), [(0, 0)]);
    }

    #[test]
    fn a_panic_is_a_failure_and_not_the_end() {
        assert_eq!(guarded(|| -> Option<u8> { panic!("as a library might") }), None);
    }

    #[test]
    fn a_request_is_answered_once_all_of_it_is_there_or_has_failed() {
        let (request, mut answer) = waiting(&[3]);
        let mut request = request.settle().expect("nothing is there yet");
        assert!(answer.try_recv().is_err());

        request.vectors.extend(Vector::new(vec![1.0]));
        assert!(request.settle().is_none());
        assert_eq!(answer.try_recv().expect("answered").expect("vectors").len(), 1);

        let (mut request, mut answer) = waiting(&[3]);
        request.failure = Some("broken");
        assert!(request.settle().is_none());
        assert_eq!(answer.try_recv().expect("answered"), Err(EmbedError::InvalidAnswer("broken".to_owned())));
    }
}
