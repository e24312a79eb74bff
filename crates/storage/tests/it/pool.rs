//! Few connections and many who want one: nobody gets somebody else's rows, and nobody waits for ever.

use std::time::Duration;

use futures_util::future::join_all;
use picard_domain::commands::MemoryFilter;
use picard_domain::{MemoryId, Reach, UserId};
use picard_storage::Store;
use picard_storage::memories::MemoryChange;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::kit::{account, memory, store, writer};

async fn few_connections(options: PgPoolOptions, database: PgConnectOptions) -> Store {
    let patience = Duration::from_secs(20);
    store(&options.max_connections(2).acquire_timeout(patience).connect_with(database).await.expect("a pool"))
}

async fn memories(store: &Store, owner: UserId, count: usize) -> Vec<MemoryId> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(memory(store, owner, &format!("memory {number}")).await);
    }
    ids
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn statements_and_transactions_share_two_connections(options: PgPoolOptions, database: PgConnectOptions) {
    let store = few_connections(options, database).await;
    let ada = account(&store, "ada").await;
    let ids = memories(&store, ada, 8).await;

    let work = (0..200).map(|number| {
        let (store, id) = (&store, ids[number % ids.len()]);
        async move {
            if number % 3 == 0 {
                let tags = Some(Default::default());
                let change = MemoryChange { tags, ..MemoryChange::default() };
                store.update_memory(writer(ada), id, &change).await.map(|(memory, ..)| memory.id)
            } else {
                store.memory(Reach::Own(ada), id).await.map(|memory| memory.expect("it is there").id)
            }
        }
    });
    let answered = tokio::time::timeout(Duration::from_secs(60), join_all(work)).await.expect("nobody waits for ever");

    for (number, answer) in answered.into_iter().enumerate() {
        assert_eq!(answer.expect("an answer"), ids[number % ids.len()]);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn whoever_leaves_in_the_middle_of_a_statement_leaves_no_rows_for_the_next(
    options: PgPoolOptions,
    database: PgConnectOptions,
) {
    let store = few_connections(options, database).await;
    let ada = account(&store, "ada").await;
    let ids = memories(&store, ada, 4).await;

    for round in 0..200_u64 {
        let id = ids[usize::try_from(round).expect("a number") % ids.len()];
        let patience = Duration::from_micros(round * 7 % 900);
        // Some are answered, some leave before, and some in between.
        let _ = tokio::time::timeout(patience, store.memory(Reach::Own(ada), id)).await;
        let _ = tokio::time::timeout(patience, store.count_memories(Reach::Own(ada), &MemoryFilter::default())).await;
        let found = store.memory(Reach::Own(ada), id).await.expect("an answer");

        assert_eq!(found.map(|memory| memory.id), Some(id), "round {round}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_connection_that_was_ended_is_replaced(options: PgPoolOptions, database: PgConnectOptions) {
    let store = few_connections(options.clone(), database.clone()).await;
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "tea").await;
    let other = options.connect_with(database).await.expect("a pool");

    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&other)
    .await
    .expect("ended");
    let _ = store.memory(Reach::Own(ada), id).await;
    let _ = store.memory(Reach::Own(ada), id).await;

    let found = store.memory(Reach::Own(ada), id).await.expect("FLT-01: each broken one is met once");
    assert_eq!(found.map(|memory| memory.id), Some(id));
}
