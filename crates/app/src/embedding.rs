//! Embeddings: made at once where the provider answers in time, otherwise by the worker. Nothing is lost because a
//! provider is away: the text and its job were stored before anybody was asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_domain::{Error, MemoryId, Vector};
use picard_embedding::EmbedError;
use picard_storage::embedding_jobs::PendingText;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::patience::within;
use crate::tally::Counted;

/// The longest that the worker waits for the database; a provider has limits of its own.
const LONGEST_STEP: Duration = Duration::from_secs(30);
/// How long a job belongs to the one who took it.
const LEASE: Duration = Duration::from_secs(60);
/// How many texts the worker takes at once.
const BATCH: i64 = 32;
/// How often the worker looks for jobs of other replicas and for pauses that are over.
const POLL: Duration = Duration::from_secs(1);
/// A text with more windows is left to the worker, so that a write stays quick.
const MOST_WINDOWS_AT_ONCE: usize = 4;
/// A provider's nonsense about one text is taken for a passing fault this often.
const MOST_ATTEMPTS: i32 = 5;

/// What the writes and the worker tell each other and the health check.
#[derive(Default)]
pub(crate) struct State {
    wake: Notify,
    is_failing: AtomicBool,
}

impl State {
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

impl App {
    /// Embeds texts that are about to be stored, if that is quick: one list of vectors a text. An empty answer leaves
    /// them to the worker.
    pub(crate) async fn embed_now(&self, texts: &[&str]) -> Vec<Vec<Vector>> {
        let embedder = &self.0.embedder;
        let windows: Vec<Vec<&str>> = texts.iter().map(|text| embedder.windows(text)).collect();
        let all = windows.concat();
        if windows.iter().any(|windows| windows.len() > MOST_WINDOWS_AT_ONCE) || self.0.embedding.is_failing() {
            return Vec::new();
        }
        match tokio::time::timeout(self.0.settings.embedding_budget, embedder.embed(&all)).await {
            Ok(Ok(mut vectors)) if vectors.len() == all.len() => {
                windows.iter().map(|windows| vectors.drain(..windows.len()).collect()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Stores embeddings together, and alone those of memories that were being changed meanwhile.
    pub(crate) async fn store_embeddings(
        &self,
        embedded: &[(&PendingText, &[Vector])],
        model: &str,
        ends_jobs: bool,
    ) -> Result<(), Error> {
        let store = &self.0.store;
        let done = store.finish_embeddings(model, embedded, ends_jobs).await?;
        for (text, vectors) in embedded.iter().filter(|(text, _)| !done.contains(&text.of.memory_id)) {
            store.finish_embedding(text.of, model, vectors, ends_jobs).await?;
        }
        Ok(())
    }

    /// Wakes the worker: there is something to do.
    pub(crate) fn wake_embedding_worker(&self) {
        self.0.embedding.wake.notify_one();
    }

    /// How many texts wait for their embedding.
    ///
    /// # Errors
    /// As every statement.
    pub fn embedding_backlog<'a>(&'a self) -> BoxFuture<'a, Result<i64, Error>> {
        Box::pin(async move { self.0.store.embedding_backlog(self.0.embedder.model()).await })
    }
}

/// Makes the embeddings that are pending. Any number of workers may run, in any number of processes.
pub struct EmbeddingWorker {
    app: App,
}

impl EmbeddingWorker {
    /// A worker for this application.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// Works until the token is cancelled; a batch that has begun is finished.
    pub fn run(self, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            tokio::join!(self.prepare(&stop), self.index_words(&stop), self.embed_all(&stop));
        })
    }

    async fn embed_all(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let is_idle = match self.work_once().await {
                Ok(count) => count == 0,
                Err(error) => {
                    tracing::warn!(cause = %error, "The embedding worker waits for the database.");
                    true
                }
            };
            if is_idle {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.app.0.embedding.wake.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    /// Memories from before keyword search get their words.
    async fn index_words(&self, stop: &CancellationToken) {
        let mut total = 0;
        while !stop.is_cancelled() {
            match self.app.0.store.index_missing_words().await {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) => {
                    tracing::warn!(cause = %error, "Words of memories could not be stored; the next start goes on.");
                    break;
                }
            }
        }
        if total > 0 {
            tracing::info!(count = total, "Memories can be found by their words now.");
        }
    }

    /// What has to be done once for a model: its index of public memories, and jobs for what another model embedded.
    async fn prepare(&self, stop: &CancellationToken) {
        let work = async {
            let embedder = &self.app.0.embedder;
            self.app.0.store.create_public_index(embedder.model(), embedder.dimensions()).await?;
            self.app.0.store.ask_for_missing_embeddings(embedder.model()).await
        };
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = work => outcome,
        };
        match outcome {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, model = self.app.0.embedder.model(), "Memories are embedded with this model."),
            Err(error) => tracing::warn!(cause = %error, "The embeddings could not be looked over."),
        }
    }

    /// Takes one batch and works on it; answers how many texts it had.
    ///
    /// # Errors
    /// As every statement.
    pub fn work_once<'a>(&'a self) -> BoxFuture<'a, Result<usize, Error>> {
        Box::pin(async move {
            let claim = self.app.0.store.claim_embedding_jobs(self.app.0.embedder.model(), BATCH, LEASE);
            let pending = within(LONGEST_STEP, claim).await?;
            match self.embed(&pending).await {
                Ok(()) => {}
                // One bad text must not hold up the others: each is tried alone.
                Err(Failure::Provider(EmbedError::Rejected(_) | EmbedError::InvalidAnswer(_))) if pending.len() > 1 => {
                    for text in &pending {
                        self.embed_alone(text).await?;
                    }
                }
                Err(Failure::Provider(error)) => within(LONGEST_STEP, self.give_back(&pending, &error)).await?,
                Err(Failure::Storage(error)) => return Err(error),
            }
            Ok(pending.len())
        })
    }

    async fn embed_alone(&self, text: &PendingText) -> Result<(), Error> {
        match self.embed(std::slice::from_ref(text)).await {
            Ok(()) => Ok(()),
            Err(Failure::Provider(error)) => within(LONGEST_STEP, self.give_back(std::slice::from_ref(text), &error)).await,
            Err(Failure::Storage(error)) => Err(error),
        }
    }

    async fn embed(&self, pending: &[PendingText]) -> Result<(), Failure> {
        if pending.is_empty() {
            return Ok(());
        }
        let embedder = &self.app.0.embedder;
        let windows: Vec<Vec<&str>> = pending.iter().map(|text| embedder.windows(&text.text)).collect();
        let vectors = embedder.embed(&windows.concat()).await.map_err(Failure::Provider)?;
        self.app.0.embedding.is_failing.store(false, Ordering::Relaxed);
        let embedded = by_text(pending, &windows, &vectors);
        let store = self.app.store_embeddings(&embedded, embedder.model(), true);
        within(LONGEST_STEP, store).await.map_err(Failure::Storage)?;
        self.app.0.tally.add(Counted::Embeddings, "text", "embedded", pending.len());
        Ok(())
    }

    /// Puts texts back after a failure, or gives up on the one that cannot be embedded.
    async fn give_back(&self, pending: &[PendingText], error: &EmbedError) -> Result<(), Error> {
        let store = &self.app.0.store;
        let model = self.app.0.embedder.model();
        let reason = error.to_string();
        if let ([text], EmbedError::Rejected(_) | EmbedError::InvalidAnswer(_)) = (pending, error)
            && (matches!(error, EmbedError::Rejected(_)) || text.attempts >= MOST_ATTEMPTS)
        {
            tracing::warn!(memory.id = %text.of.memory_id, reason, "A text cannot be embedded.");
            self.app.0.tally.add(Counted::Embeddings, "text", "refused", 1);
            return store.fail_embedding(model, text.of, &reason).await;
        }
        if !self.app.0.embedding.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "Embeddings cannot be made at the moment; memories are stored and wait.");
        }
        self.app.0.tally.add(Counted::Embeddings, "text", "postponed", pending.len());
        let attempts = pending.iter().map(|text| text.attempts).max().unwrap_or(1);
        let texts: Vec<_> = pending.iter().map(|text| text.of).collect();
        store.postpone_embeddings(model, &texts, pause(attempts, error), &reason).await
    }
}

/// The vectors of each text's windows.
pub(crate) fn by_text<'a>(
    texts: &'a [PendingText],
    windows: &[Vec<&str>],
    mut vectors: &'a [Vector],
) -> Vec<(&'a PendingText, &'a [Vector])> {
    let take = |(text, windows): (&'a PendingText, &Vec<&str>)| {
        let (own, others) = vectors.split_at(windows.len().min(vectors.len()));
        vectors = others;
        (text, own)
    };
    texts.iter().zip(windows).map(take).collect()
}

enum Failure {
    Provider(EmbedError),
    Storage(Error),
}

/// Waits as long as the provider asks, otherwise twice as long each time up to a minute; spread out, so that
/// replicas do not come back all at once.
fn pause(attempts: i32, error: &EmbedError) -> Duration {
    if let EmbedError::Unavailable { retry_after: Some(wait), .. } = error {
        return (*wait).min(Duration::from_secs(600));
    }
    let seconds = 2_f64.powi(attempts.clamp(0, 6)).min(60.0);
    let spread = f64::from(MemoryId::generate().0.as_bytes()[0]) / 255.0;
    Duration::from_secs_f64(seconds * (0.5 + spread / 2.0))
}
