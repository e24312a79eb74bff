//! The work behind the requests. What crashes is begun again (FLT-26).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// Before a task that has crashed begins again; twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A task that has run for so long is well again.
const STEADY: Duration = Duration::from_secs(30);

/// Whether the task has crashed and is not well again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<AtomicBool>);

impl Trouble {
    /// Whether it has.
    pub(crate) fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a task to its end, and again whenever it crashes.
pub(crate) async fn supervise(
    mut run: impl FnMut() -> BoxFuture<'static, ()> + Send + 'static,
    trouble: Trouble,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut running = tokio::spawn(run());
        let outcome = match tokio::time::timeout(STEADY, &mut running).await {
            Ok(outcome) => outcome,
            Err(_) => {
                trouble.0.store(false, Ordering::Relaxed);
                pause = FIRST_PAUSE;
                running.await
            }
        };
        if outcome.is_ok() || stop.is_cancelled() {
            return;
        }
        trouble.0.store(true, Ordering::Relaxed);
        // What it was about stands in the line before, which the crash itself has written.
        tracing::error!(pause_ms = pause.as_millis(), "housekeeping crashed and is begun again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_task_that_crashes_is_begun_again_and_the_health_tells_of_it_flt_26() {
        let (runs, trouble, stop) = (Arc::new(AtomicUsize::new(0)), Trouble::default(), CancellationToken::new());
        let (counted, until) = (Arc::clone(&runs), stop.clone());
        let run = move || -> BoxFuture<'static, ()> {
            let (number, until) = (counted.fetch_add(1, Ordering::Relaxed), until.clone());
            Box::pin(async move {
                assert!(number >= 1, "run {number} crashes");
                until.cancelled().await;
            })
        };
        let task = tokio::spawn(supervise(run, trouble.clone(), stop.clone()));

        for _ in 0..500 {
            if runs.load(Ordering::Relaxed) == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
        task.await.expect("it ends");

        assert_eq!((runs.load(Ordering::Relaxed), trouble.is_there()), (2, true), "FLT-26");
    }
}
