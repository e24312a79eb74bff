//! Log messages for the client.
#![expect(deprecated, reason = "the protocol has given logging up, but older revisions have it, and the suite tries it")]

use std::sync::atomic::{AtomicU8, Ordering};

use rmcp::RoleServer;
use rmcp::model::{ErrorData, LoggingLevel, LoggingMessageNotificationParam};
use rmcp::service::RequestContext;

use crate::fixture::{PAUSE, failed, is_modern};

/// How bad it has to be at least for an older client to hear of it in its session; from the beginning, anything.
#[derive(Debug, Default)]
pub(crate) struct Threshold(AtomicU8);

impl Threshold {
    pub(crate) fn set(&self, level: LoggingLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
    }

    /// Whether the client wants to hear of this. Requests of revision 2026-07-28 that do not say so want nothing.
    fn lets_through(&self, context: &RequestContext<RoleServer>, level: LoggingLevel) -> bool {
        let least = if is_modern(context) {
            context.meta.log_level().map(|least| least as u8)
        } else {
            Some(self.0.load(Ordering::Relaxed))
        };
        least.is_some_and(|least| least <= level as u8)
    }
}

/// Works for a while and tells of each step.
pub(crate) async fn tell_steps(threshold: &Threshold, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    for (index, step) in ["Tool execution started", "Tool processing data", "Tool execution completed"].into_iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if threshold.lets_through(context, LoggingLevel::Info) {
            let line = LoggingMessageNotificationParam::new(LoggingLevel::Info, step.into()).with_logger("conformance");
            context.peer.notify_logging_message(line).await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}
