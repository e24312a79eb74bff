//! Subscriptions: from the protocol's filter to what `App` lets the caller watch, and from its news to notifications.

use picard_app::{App, Watch, Watched};
use picard_domain::{Caller, Error};
use rmcp::model::{ErrorData, SubscriptionFilter};
use rmcp::service::SubscriptionContext;
use tokio_util::sync::CancellationToken;

use crate::error;
use crate::uri::{self, Address};

/// The most resources of one subscription.
const MOST_RESOURCES: usize = 100;

/// What of a filter is served to this caller: only what they may see, so that the acknowledgement tells nothing (T5).
/// What changes never, the lists of tools and prompts, is left out too.
pub(crate) async fn accepted(app: &App, caller: &Caller, requested: &SubscriptionFilter) -> Result<SubscriptionFilter, Error> {
    app.count_read(caller).await?;
    let mut accepted = SubscriptionFilter::builder();
    if requested.resources_list_changed == Some(true) {
        accepted = accepted.resources_list_changed();
    }
    for uri in requested.resource_subscriptions.iter().flatten().take(MOST_RESOURCES) {
        if let Some(watched) = watched(uri)
            && app.may_watch(caller, watched).await?
        {
            accepted = accepted.resource_subscription(uri);
        }
    }
    Ok(accepted.build())
}

/// What is watched under this address.
pub(crate) fn watched(uri: &str) -> Option<Watched> {
    Some(match uri::parse(uri).ok()? {
        Address::Memory(id) => Watched::Memory(id),
        Address::Memories(list) => Watched::MemoriesOf(list.user_id),
    })
}

/// Tells of changes until the client goes, its token ends, or the server stops.
pub(crate) async fn serve(
    app: &App,
    caller: &Caller,
    context: &SubscriptionContext,
    ending: &CancellationToken,
) -> Result<(), ErrorData> {
    let accepted = context.accepted();
    let list = (accepted.resources_list_changed == Some(true)).then(|| Watch { watched: Watched::OwnList, name: String::new() });
    let resources = accepted.resource_subscriptions.iter().flatten();
    let resources = resources.filter_map(|uri| Some(Watch { watched: watched(uri)?, name: uri.clone() }));
    let all = list.into_iter().chain(resources).collect();
    let mut subscription = app.subscribe(caller, all).map_err(|refused| error::of_list(&refused))?;
    loop {
        let told = tokio::select! {
            () = context.cancelled() => return Ok(()),
            () = ending.cancelled() => return Ok(()),
            told = subscription.next() => told,
        };
        let Ok(told) = told else { return Ok(()) };
        for watch in told {
            let sent = match watch.watched {
                Watched::OwnList => context.sink().notify_resource_list_changed().await,
                Watched::Memory(_) | Watched::MemoriesOf(_) => context.sink().notify_resource_updated(watch.name).await,
            };
            // Nobody listens any more.
            if sent.is_err() {
                return Ok(());
            }
        }
    }
}

/// Subscribes a session. What its person may not see and what is not there answer the same (T5).
pub(crate) async fn subscribe(app: &App, caller: &Caller, session: &str, uri: &str) -> Result<(), Error> {
    app.count_read(caller).await?;
    let watched = match uri::parse(uri)? {
        Address::Memory(id) => Watched::Memory(id),
        Address::Memories(list) => Watched::MemoriesOf(list.user_id),
    };
    if !app.may_watch(caller, watched).await? {
        return Err(Error::NotFound);
    }
    app.add_mcp_subscription(caller, session, uri).await
}

/// Ends what `subscribe` began; what never began, too.
pub(crate) async fn unsubscribe(app: &App, caller: &Caller, session: &str, uri: &str) -> Result<(), Error> {
    app.count_read(caller).await?;
    app.remove_mcp_subscription(caller, session, uri).await
}

#[cfg(test)]
mod tests {
    use picard_domain::{MemoryId, UserId};

    use super::*;

    #[test]
    fn addresses_are_what_is_watched() {
        let (memory, person) = (MemoryId::generate(), UserId::generate());
        assert_eq!(watched(&format!("memories://{memory}")), Some(Watched::Memory(memory)));
        assert_eq!(watched(&format!("users://{person}/memories?limit=5")), Some(Watched::MemoriesOf(person)));
        assert_eq!(watched("test://watched"), None);
    }
}
