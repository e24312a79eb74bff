//! Calls of tools while they run: progress goes out, a cancellation comes in.

use picard_app::catalogue::{self, Effect};
use picard_app::{App, CallOptions};
use picard_domain::{Caller, Error};
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;

/// Calls a tool; with a key it counts once. A read ends when its client cancels it or goes. A change runs to its end: nobody could say how much of
/// it had happened.
///
/// # Errors
/// Those of the tool; [`Error::Unavailable`] for a read that was cancelled, which nobody hears any more.
pub(crate) async fn run(
    app: &App,
    caller: &Caller,
    tool: &str,
    data: Value,
    (context, key): (&RequestContext<RoleServer>, Option<&str>),
) -> Result<Box<RawValue>, Error> {
    if catalogue::find(tool).is_some_and(|tool| tool.effect == Effect::Read) {
        return tokio::select! {
            biased;
            () = context.ct.cancelled() => Err(Error::unavailable("The call", "it was cancelled")),
            answer = app.call_tool(caller, tool, data, CallOptions::default()) => answer,
        };
    }
    match context.meta.get_progress_token() {
        Some(token) => with_progress(app, caller, tool, data, (context, token, key)).await,
        None => app.call_tool(caller, tool, data, CallOptions { key, progress: None }).await,
    }
}

async fn with_progress(
    app: &App,
    caller: &Caller,
    tool: &str,
    data: Value,
    (context, token, key): (&RequestContext<RoleServer>, ProgressToken, Option<&str>),
) -> Result<Box<RawValue>, Error> {
    let (told, mut news) = watch::channel((0, 0));
    let tell = move |done, all| {
        told.send_replace((done, all));
    };
    let mut call = app.call_tool(caller, tool, data, CallOptions { key, progress: Some(&tell) });
    loop {
        tokio::select! {
            // Nothing may be told after the answer.
            biased;
            answer = &mut call => return answer,
            _ = news.changed() => {
                let (done, all) = *news.borrow_and_update();
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(done)).with_total(f64::from(all));
                // Whoever does not hear it gets the answer all the same.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
    }
}
