//! Calls of tools while they run: progress goes out, a cancellation comes in.

use std::sync::Arc;

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
    let call = async {
        match context.meta.get_progress_token() {
            Some(token) => with_progress(app, caller, tool, data, (context, token, key)).await,
            None => app.call_tool(caller, tool, data, CallOptions { key, ..CallOptions::default() }).await,
        }
    };
    if catalogue::find(tool).is_some_and(|tool| tool.effect == Effect::Read) {
        return tokio::select! {
            biased;
            () = context.ct.cancelled() => Err(Error::unavailable("The call", "it was cancelled")),
            answer = call => answer,
        };
    }
    call.await
}

async fn with_progress(
    app: &App,
    caller: &Caller,
    tool: &str,
    data: Value,
    (context, token, key): (&RequestContext<RoleServer>, ProgressToken, Option<&str>),
) -> Result<Box<RawValue>, Error> {
    let (told, mut news) = watch::channel((0, 0));
    let told = Arc::new(told);
    let also = Arc::clone(&told);
    let tell = move |done, all| {
        also.send_replace((done, all));
    };
    // Nobody knows how long an answer will be: its progress are its characters.
    let written = move |piece: &str| {
        let more = u32::try_from(piece.chars().count()).unwrap_or(u32::MAX);
        told.send_modify(|(done, _): &mut (u32, u32)| *done = done.saturating_add(more));
    };
    let options = CallOptions { key, progress: Some(&tell), pieces: Some(&written) };
    let mut call = app.call_tool(caller, tool, data, options);
    loop {
        tokio::select! {
            // Nothing may be told after the answer.
            biased;
            answer = &mut call => return answer,
            _ = news.changed() => {
                let (done, all) = *news.borrow_and_update();
                let mut progress = ProgressNotificationParam::new(token.clone(), f64::from(done));
                if all > 0 {
                    progress = progress.with_total(f64::from(all));
                }
                // Whoever does not hear it gets the answer all the same.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
    }
}
