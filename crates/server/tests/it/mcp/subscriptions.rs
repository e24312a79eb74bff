//! Subscriptions of revision 2026-07-28: whoever may see something hears of it, from whichever server.

use std::time::Duration;

use rmcp::model::{ServerNotification, SubscriptionFilter, SubscriptionFilterBuilder};
use rmcp::service::Subscription;
use serde_json::json;
use sqlx::PgPool;

use super::{Client, REVISIONS, connect};
use crate::kit::{TestServer, client};

const SOON: Duration = Duration::from_secs(10);
/// Long enough for everything that is told to have arrived.
const QUIET: Duration = Duration::from_millis(700);

fn wanted(uris: &[String]) -> SubscriptionFilter {
    let filter = SubscriptionFilter::builder().tools_list_changed().resources_list_changed();
    uris.iter().fold(filter, SubscriptionFilterBuilder::resource_subscription).build()
}

/// What the next two notifications are about, sorted: they come in any order.
async fn two(subscription: &mut Subscription) -> [String; 2] {
    let mut both = [heard(subscription).await, heard(subscription).await];
    both.sort();
    both
}

/// What the next notification is about: a URI, or `list`.
async fn heard(subscription: &mut Subscription) -> String {
    let next = tokio::time::timeout(SOON, subscription.next()).await.expect("something is told");
    match next.expect("a stream").expect("a notification") {
        ServerNotification::ResourceUpdatedNotification(updated) => updated.params.uri,
        ServerNotification::ResourceListChangedNotification(_) => "list".to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn is_quiet(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(QUIET, subscription.next()).await.is_err()
}

async fn listen(client: &Client, uris: &[String]) -> Subscription {
    // What was written before is told by then, and not taken for what comes.
    tokio::time::sleep(QUIET).await;
    client.listen(wanted(uris)).await.expect("a subscription")
}

fn of(id: &str) -> String {
    format!("memories://{id}")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_owner_hears_of_changes_at_every_server(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    let assistant = connect(&server, &ada, &REVISIONS[2]).await;
    let mut subscription = listen(&assistant, &[of(&id)]).await;
    let acknowledged = subscription.acknowledged();
    assert_eq!((acknowledged.tools_list_changed, acknowledged.resources_list_changed), (None, Some(true)), "only what is served");

    let call = json!({ "tool": "update_memory", "data": { "memory_id": id, "text": "two" } });
    let request = client().post(format!("{}/api/tools", replica.url)).bearer_auth(&ada.token).json(&call);
    assert_eq!(request.send().await.expect("an answer").status(), 200);

    assert_eq!(two(&mut subscription).await, ["list".to_owned(), of(&id)]);
    server.remember(&ada, "another").await;
    assert_eq!(heard(&mut subscription).await, "list");
    server.call(&ada, "delete_memory", json!({ "memory_id": id })).await;
    assert_eq!(two(&mut subscription).await, ["list".to_owned(), of(&id)]);
    replica.stop().await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t05_nobody_hears_of_what_they_may_not_see(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let (private, public) = (server.remember(&ada, "private").await, server.publish(&ada, "public").await);
    let theirs = format!("users://{}/memories", ada.user_id);
    let unknown = of("01234567-89ab-4def-8123-456789abcdef");
    let assistant = connect(&server, &eve, &REVISIONS[2]).await;

    let mut subscription = listen(&assistant, &[of(&private), of(&public), theirs.clone(), unknown, "test://x".to_owned()]).await;

    let acknowledged = subscription.acknowledged().resource_subscriptions.clone().expect("what is accepted");
    assert_eq!(acknowledged, [of(&public), theirs.clone()], "T5: what is private and what is not there look the same");
    server.call(&ada, "update_memory", json!({ "memory_id": private, "text": "still private" })).await;
    server.remember(&ada, "private too").await;
    assert!(is_quiet(&mut subscription).await, "MEM-10");

    server.call(&ada, "update_memory", json!({ "memory_id": public, "text": "changed" })).await;
    assert_eq!(two(&mut subscription).await, [of(&public), theirs.clone()]);
    server.call(&ada, "modify_permissions", json!({ "memory_id": public, "permission": "private" })).await;
    assert_eq!(two(&mut subscription).await, [of(&public), theirs.clone()], "it has gone");
    server.call(&ada, "update_memory", json!({ "memory_id": public, "text": "out of sight" })).await;
    assert!(is_quiet(&mut subscription).await, "MEM-06");

    let shared = json!({ "text": "for eve", "permission": "shared", "shared_with": { "users": [eve.user_id], "groups": [] } });
    server.call(&ada, "submit_memory", shared).await;
    assert_eq!(heard(&mut subscription).await, theirs);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_subscription_ends_with_its_token(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    let assistant = connect(&server, &ada, &REVISIONS[2]).await;
    let mut subscription = listen(&assistant, &[of(&id)]).await;
    sqlx::query("UPDATE grants SET revoked_at = now()").execute(&pool).await.expect("it is revoked");

    sqlx::query("SELECT pg_notify('picard_changes', $1)")
        .bind(format!("{} {id} 1", ada.user_id))
        .execute(&pool)
        .await
        .expect("a change is told");

    let end = tokio::time::timeout(SOON, subscription.next()).await.expect("it ends");
    assert!(matches!(end, Ok(None)), "REV-01 nothing is told any more: {end:?}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t10_a_server_that_stops_ends_its_streams_with_a_result(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let assistant = connect(&server, &ada, &REVISIONS[2]).await;
    let mut subscription = listen(&assistant, &[]).await;

    let (end, ()) = tokio::join!(tokio::time::timeout(SOON, subscription.next()), server.stop());

    assert!(matches!(end, Ok(Ok(None))), "{end:?}");
    assert!(subscription.end().is_some_and(|end| format!("{end:?}").contains("Graceful")), "{:?}", subscription.end());
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_was_missed_is_told_when_the_database_is_back(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "one").await;
    let assistant = connect(&server, &ada, &REVISIONS[2]).await;
    let mut subscription = listen(&assistant, &[of(&id)]).await;

    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .execute(&pool)
    .await
    .expect("connections end");

    assert_eq!(two(&mut subscription).await, ["list".to_owned(), of(&id)]);
}

async fn are_promised(server: &TestServer, promised: Option<bool>) {
    let ada = server.sign_in("ada").await;
    for revision in &REVISIONS[..2] {
        let assistant = connect(server, &ada, revision).await;
        let resources = assistant.peer_info().expect("the server's description").capabilities.resources.clone();
        assert_eq!(resources.and_then(|resources| resources.subscribe), promised, "T16 {revision}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn older_clients_with_sessions_are_promised_subscriptions(pool: PgPool) {
    are_promised(&TestServer::spawn(&pool).await, Some(true)).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn t16_older_clients_without_sessions_are_not(pool: PgPool) {
    are_promised(&TestServer::spawn_with(&pool, &["--mcp-mode", "stateless"]).await, None).await;
}
