//! What changes while the server runs, and how subscriptions hear of it.

use rmcp::service::SubscriptionContext;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::resources;

/// A change that a tool makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A tool comes or goes.
    Tools,
    /// A prompt comes or goes.
    Prompts,
    /// The watched resource says something else.
    Watched,
}

/// How often each thing has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tools: u32,
    pub(crate) prompts: u32,
    pub(crate) watched: u32,
}

/// The changes so far.
#[derive(Debug)]
pub(crate) struct Changes(watch::Sender<Counts>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(watch::channel(Counts::default()).0)
    }

    pub(crate) fn now(&self) -> Counts {
        *self.0.borrow()
    }

    pub(crate) fn make(&self, change: Change) {
        self.0.send_modify(|counts| match change {
            Change::Tools => counts.tools += 1,
            Change::Prompts => counts.prompts += 1,
            Change::Watched => counts.watched += 1,
        });
    }

    /// Tells of what changes after `told` until the client goes or the server stops.
    pub(crate) async fn tell(&self, context: &SubscriptionContext, mut told: Counts, ending: &CancellationToken) {
        let mut changes = self.0.subscribe();
        loop {
            let now = *changes.borrow_and_update();
            if notify(context, told, now).await.is_none() {
                return;
            }
            told = now;
            let changed = tokio::select! {
                () = context.cancelled() => return,
                () = ending.cancelled() => return,
                changed = changes.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

/// Notifies of the differences that the subscription asked for; nothing when nobody listens any more.
async fn notify(context: &SubscriptionContext, before: Counts, now: Counts) -> Option<()> {
    let (accepted, sink) = (context.accepted(), context.sink());
    if before.tools != now.tools && accepted.tools_list_changed == Some(true) {
        sink.notify_tool_list_changed().await.ok()?;
    }
    if before.prompts != now.prompts && accepted.prompts_list_changed == Some(true) {
        sink.notify_prompt_list_changed().await.ok()?;
    }
    let is_watching = accepted.resource_subscriptions.iter().flatten().any(|uri| uri == resources::WATCHED);
    if before.watched != now.watched && is_watching {
        sink.notify_resource_updated(resources::WATCHED).await.ok()?;
    }
    Some(())
}
