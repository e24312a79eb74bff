//! Memories: versions, order, and who is in reach.

use futures_util::future::join_all;
use picard_domain::commands::MemoryFilter;
use picard_domain::page::{Order, Sort};
use picard_domain::{Error, MemoryId, Permission, Reach, Timestamp, UserId};
use picard_storage::Store;
use picard_storage::memories::{MemoryChange, PageRequest};
use sqlx::PgPool;

use crate::kit::{account, memory, memory_at, number, store, text, writer};

async fn versions(pool: &PgPool, id: MemoryId) -> (i64, i64) {
    sqlx::query_as("SELECT version, text_version FROM memories WHERE id = $1").bind(id.0).fetch_one(pool).await.expect("a row")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_change_raises_the_version_and_a_text_its_own(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "first").await;

    for (change, expected) in [
        (MemoryChange { permission: Some(Permission::Public), ..MemoryChange::default() }, (2, 1)),
        (MemoryChange { text: Some((text("second"), Vec::new())), ..MemoryChange::default() }, (3, 3)),
        (MemoryChange { category: Some(None), expected_version: Some(3), ..MemoryChange::default() }, (4, 3)),
    ] {
        let version = store.update_memory(writer(ada), id, &change).await.expect("a memory").0.version;

        assert_eq!((version, versions(&pool, id).await), (expected.0, expected));
        let read = store.memory(Reach::Own(ada), id).await.expect("an answer").expect("a memory");
        assert_eq!(read.version, expected.0, "the text still opens: {}", read.text);
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_outdated_version_changes_nothing(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "first").await;
    let change = MemoryChange { text: Some((text("second"), Vec::new())), expected_version: Some(2), ..MemoryChange::default() };

    let refused = store.update_memory(writer(ada), id, &change).await;

    assert!(matches!(refused, Err(Error::VersionMismatch { current: 1 })), "{refused:?}");
    assert_eq!(versions(&pool, id).await, (1, 1));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_the_owner_changes_and_deletes(pool: PgPool) {
    let store = store(&pool);
    let (ada, eve) = (account(&store, "ada").await, account(&store, "eve").await);
    let id = memory(&store, ada, "first").await;
    let change = MemoryChange { permission: Some(Permission::Public), ..MemoryChange::default() };

    assert!(matches!(store.update_memory(writer(eve), id, &change).await, Err(Error::NotFound)), "MEM-02");
    assert!(matches!(store.delete_memory(eve, id, None).await, Err(Error::NotFound)), "MEM-02");
    assert_eq!(versions(&pool, id).await, (1, 1));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn parallel_changes_all_count(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "first").await;
    let change = MemoryChange { text: Some((text("again"), Vec::new())), ..MemoryChange::default() };

    let mut versions: Vec<i64> = join_all((0..20).map(|_| store.update_memory(writer(ada), id, &change)))
        .await
        .into_iter()
        .map(|changed| changed.expect("a memory").0.version)
        .collect();

    versions.sort_unstable();
    assert!(versions.iter().copied().eq(2..=21), "FLT-20 {versions:?}");
    assert_eq!(number(&pool, "SELECT count(*) FROM embedding_jobs").await, 1, "one job a memory");
}

/// Walks a whole list in pages of this size.
async fn walk(store: &Store, owner: UserId, sort: Sort, order: Order, limit: u32) -> Vec<MemoryId> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { sort, order, after, limit };
        let page = store.memories(Reach::Own(owner), &MemoryFilter::default(), request).await.expect("a page");
        assert!(page.memories.len() <= limit as usize);
        seen.extend(page.memories.iter().map(|memory| memory.id));
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn pages_follow_each_other_without_a_gap(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let moment = |second: u32| format!("2026-01-01T00:00:{second:02}.000001Z").parse::<Timestamp>().expect("a time");
    let mut expected = Vec::new();
    for number in 0..13 {
        // Three share each time, so that the ids decide.
        expected.push((moment(number / 3), memory_at(&store, ada, "note", moment(number / 3)).await));
    }
    let dated =
        "UPDATE memories SET expiration_date = created_at + interval '900 years' WHERE get_byte(uuid_send(id), 0) % 2 = 0";
    sqlx::query(dated).execute(&pool).await.expect("an update");
    expected.sort();

    for limit in [1, 2, 3, 12, 13, 14] {
        let ascending = walk(&store, ada, Sort::CreatedAt, Order::Asc, limit).await;
        let mut descending = walk(&store, ada, Sort::CreatedAt, Order::Desc, limit).await;
        descending.reverse();
        assert!(ascending.iter().eq(expected.iter().map(|(_, id)| id)), "pages of {limit}");
        assert_eq!(ascending, descending, "pages of {limit}");
        for order in [Order::Asc, Order::Desc] {
            let mut by_expiration = walk(&store, ada, Sort::ExpirationDate, order, limit).await;
            by_expiration.sort();
            let mut all = ascending.clone();
            all.sort();
            assert_eq!(by_expiration, all, "pages of {limit}, {order:?}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_reach_is_exactly_what_the_reader_may_see(pool: PgPool) {
    let store = store(&pool);
    let (ada, eve) = (account(&store, "ada").await, account(&store, "eve").await);
    let mut known = Vec::new();
    for owner in [ada, eve] {
        for (permission, is_expired) in [("private", false), ("private", true), ("public", false), ("public", true)] {
            let id = memory(&store, owner, permission).await;
            let statement = "UPDATE memories SET permission = $2, expiration_date = CASE WHEN $3 THEN now() - interval '1 s' END WHERE id = $1";
            sqlx::query(statement).bind(id.0).bind(permission).bind(is_expired).execute(&pool).await.expect("an update");
            known.push((owner, permission, is_expired, id));
        }
    }

    for (owner, permission, is_expired, id) in known {
        let is_own = owner == ada;
        let is_open = permission == "public" && !is_expired;
        for (reach, expected) in [
            (Reach::Own(ada), is_own),
            (Reach::Public { reader: ada }, permission == "public" && (is_own || !is_expired)),
            (Reach::VisibleOf { reader: ada, owner: ada }, is_own),
            (Reach::VisibleOf { reader: ada, owner: eve }, !is_own && is_open),
            (Reach::Visible { reader: ada }, is_own || is_open),
        ] {
            let seen = store.memory(reach, id).await.expect("an answer").is_some();
            let owned = store.memory_owner(reach, id).await.expect("an answer").is_some();
            assert_eq!((seen, owned), (expected, expected), "MEM-01 {reach:?} {permission} expired: {is_expired}");
        }
    }
}
