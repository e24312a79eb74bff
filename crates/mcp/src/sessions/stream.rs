//! The stream of a session in which its client hears of changes (T5).
//!
//! rmcp has a queue for that, too, but one that a client can fill which does not read it, and then nothing of its
//! session is answered any more; here such a client only misses something, and hears that it did.

use std::future::ready;

use futures_util::stream::{self, Stream, StreamExt};
use picard_app::{App, Ended, Subscription, Watch, Watched};
use picard_domain::Caller;
use rmcp::model::{
    ResourceListChangedNotification, ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerJsonRpcMessage,
    ServerNotification,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::subscriptions;

/// How many notifications wait for a client to read them.
const WAITING: usize = 16;

/// Something in the stream.
pub(super) enum Item {
    Event(ServerSseMessage),
    End,
}

/// What changes from now on, as far as the caller's session subscribes to it; `None` when they may hear of nothing.
/// Who takes up a broken stream again has missed something: they are told that everything may have changed.
pub(super) async fn changes(
    app: &App,
    caller: &Caller,
    id: &SessionId,
    is_resumed: bool,
    ending: CancellationToken,
) -> Option<mpsc::Receiver<Item>> {
    let subscription = match app.follow_session(caller, id, subscriptions::watched).await {
        Ok(subscription) => subscription,
        Err(error) => {
            tracing::debug!(cause = %error, "A session's stream tells of no changes.");
            return None;
        }
    };
    let (told, changes) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        tokio::select! {
            () = told.closed() => {}
            () = ending.cancelled() => {}
            () = tell(subscription, is_resumed, &told) => {}
        }
    });
    Some(changes)
}

async fn tell(mut subscription: Subscription, is_resumed: bool, told: &mpsc::Sender<Item>) {
    // What was subscribed to before may have changed before there was a stream.
    let watches = subscription.watches().iter();
    let mut due: Vec<Watch> = watches.filter(|watch| is_resumed || watch.watched != Watched::OwnList).cloned().collect();
    loop {
        for watch in due {
            if told.send(Item::Event(notification(watch))).await.is_err() {
                return;
            }
        }
        due = match subscription.next().await {
            Ok(due) => due,
            // The stream stays, so that its client does not take it up again in turn with the other.
            Err(Ended::Displaced) => return,
            Err(Ended::Over) => {
                // Who no longer reads needs no end.
                let _ = told.send(Item::End).await;
                return;
            }
        };
    }
}

/// Both in one; it ends with the first, and when there is an end in the second.
pub(super) fn joined(
    local: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    changes: Option<mpsc::Receiver<Item>>,
) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
    let local = local.map(Item::Event).chain(stream::once(ready(Item::End)));
    let changes = match changes {
        Some(mut changes) => stream::poll_fn(move |context| changes.poll_recv(context)).left_stream(),
        None => stream::empty().right_stream(),
    };
    stream::select(local, changes).take_while(|item| ready(matches!(item, Item::Event(_)))).filter_map(|item| {
        ready(match item {
            Item::Event(event) => Some(event),
            Item::End => None,
        })
    })
}

fn notification(watch: Watch) -> ServerSseMessage {
    let notification = match watch.watched {
        Watched::OwnList => ServerNotification::ResourceListChangedNotification(ResourceListChangedNotification::default()),
        Watched::Memory(_) | Watched::MemoriesOf(_) => {
            let about = ResourceUpdatedNotificationParam::new(watch.name);
            ServerNotification::ResourceUpdatedNotification(ResourceUpdatedNotification::new(about))
        }
    };
    ServerSseMessage::from_message(ServerJsonRpcMessage::notification(notification))
}
