//! The work behind the requests. What crashes is begun again, and the others go on (FLT-26).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_app::{App, EmbeddingWorker, Hearing, ImportWorker, RELOAD_EVERY, keep_acts, tell_changes};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::metrics::{self, Metrics};

/// Before a task that has crashed begins again; twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that one round of deleting may take.
const LONGEST_PURGE: Duration = Duration::from_secs(300);
/// A task that has run for so long is well again.
const STEADY: Duration = Duration::from_secs(30);

/// How many tasks have crashed and are not well again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<AtomicUsize>);

impl Trouble {
    /// Whether any has.
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Tasks that run until the server stops.
pub(crate) struct Tasks {
    handles: Vec<JoinHandle<()>>,
    trouble: Trouble,
    stop: CancellationToken,
}

impl Tasks {
    /// Begins everything that a server does by itself.
    pub(crate) fn begin(config: &Config, app: &App, metrics: &Arc<Metrics>, hearing: Hearing, stop: &CancellationToken) -> Self {
        let mut tasks = Self { handles: Vec::new(), trouble: Trouble::default(), stop: stop.clone() };
        let of = app.clone();
        tasks.add("embeddings", move |stop| EmbeddingWorker::new(of.clone()).run(stop));
        let of = app.clone();
        tasks.add("imports", move |stop| ImportWorker::new(of.clone()).run(stop));
        let of = app.clone();
        tasks.add("purge", move |stop| Box::pin(purge_now_and_then(of.clone(), stop)));
        let of = app.clone();
        tasks.add("signing keys", move |stop| Box::pin(reload_signing_keys(of.clone(), stop)));
        let of = app.clone();
        tasks.add("acts", move |stop| keep_acts(of.clone(), stop));
        let of = app.clone();
        tasks.add("telling", move |stop| tell_changes(of.clone(), stop));
        let (of, mut first) = (app.clone(), Some(hearing));
        tasks.add("hearing", move |stop| match first.take() {
            Some(hearing) => hearing.run(stop),
            None => Hearing::resume(of.clone(), stop),
        });
        if let Some(address) = config.metrics_addr.0 {
            let (of, figures, trouble) = (app.clone(), metrics.clone(), tasks.trouble());
            tasks.add("metrics", move |stop| {
                Box::pin(metrics::serve(of.clone(), figures.clone(), trouble.clone(), address, stop))
            });
        }
        tasks
    }

    fn add(&mut self, name: &'static str, run: impl FnMut(CancellationToken) -> BoxFuture<'static, ()> + Send + 'static) {
        let supervised = supervise(name, run, self.trouble.clone(), self.stop.clone());
        self.handles.push(tokio::spawn(supervised));
    }

    /// Tells whether all are well.
    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    /// Waits until all have ended, for each no longer than this.
    pub(crate) async fn end(self, patience: Duration) {
        for handle in self.handles {
            if tokio::time::timeout(patience, handle).await.is_err() {
                tracing::warn!("A background task took too long and was cut off.");
            }
        }
    }
}

/// Runs a task to its end, and again whenever it crashes.
async fn supervise(
    name: &'static str,
    mut run: impl FnMut(CancellationToken) -> BoxFuture<'static, ()> + Send + 'static,
    trouble: Trouble,
    stop: CancellationToken,
) {
    let (mut pause, mut is_well) = (FIRST_PAUSE, true);
    loop {
        let mut running = tokio::spawn(run(stop.clone()));
        let outcome = match tokio::time::timeout(STEADY, &mut running).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if !is_well {
                    trouble.0.fetch_sub(1, Ordering::Relaxed);
                }
                (pause, is_well) = (FIRST_PAUSE, true);
                running.await
            }
        };
        if outcome.is_ok() || stop.is_cancelled() {
            break;
        }
        if is_well {
            trouble.0.fetch_add(1, Ordering::Relaxed);
            is_well = false;
        }
        // What it was about stands in the line before, which the crash itself has written.
        tracing::error!(task = name, pause_ms = pause.as_millis(), "A background task crashed and is begun again.");
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
    if !is_well {
        trouble.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Another replica, or the command line, may have made a new key.
async fn reload_signing_keys(app: App, stop: CancellationToken) {
    let mut every = tokio::time::interval(RELOAD_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match tokio::time::timeout(RELOAD_EVERY, app.reload_signing_keys()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(cause = %error, "The signing keys could not be read again; the next round tries again.");
            }
            Err(_) => tracing::warn!("Reading the signing keys again took too long; the next round tries again."),
        }
    }
}

async fn purge_now_and_then(app: App, stop: CancellationToken) {
    let mut every = tokio::time::interval(Duration::from_secs(600));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match tokio::time::timeout(LONGEST_PURGE, app.purge_ended()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(cause = %error, "Ended tokens could not be deleted; the next round tries again."),
            Err(_) => tracing::warn!("Deleting ended tokens took too long; the next round tries again."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_crashes_is_begun_again_while_others_go_on_flt_26() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks { handles: Vec::new(), trouble: Trouble::default(), stop: stop.clone() };
        let (runs, others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&runs);
        tasks.add("one that crashes", move |stop| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                assert!(number >= 2, "run {number} crashes");
                stop.cancelled().await;
            })
        });
        let counted = Arc::clone(&others);
        tasks.add("another", move |stop| {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(stop.cancelled_owned())
        });
        let trouble = tasks.trouble();

        for _ in 0..500 {
            if runs.load(Ordering::Relaxed) == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let was_told = trouble.is_there();
        stop.cancel();
        tasks.end(Duration::from_secs(5)).await;

        assert_eq!((runs.load(Ordering::Relaxed), others.load(Ordering::Relaxed)), (3, 1), "FLT-26");
        assert!(was_told, "FLT-26: the health tells of it");
        assert!(!trouble.is_there(), "nothing is left of it after the end");
    }
}
