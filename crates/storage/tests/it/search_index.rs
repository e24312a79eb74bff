//! What is held in memory is what is in the database, at every search and at every server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use picard_crypto::{FernetKey, KeyRing};
use picard_domain::commands::MemoryFilter;
use picard_domain::page::ExpirationStatus;
use picard_domain::words::words_of_query;
use picard_domain::{Clock, MemoryId, Reach, UserId, Vector};
use picard_storage::Store;
use picard_storage::memories::{MemoryChange, NewMemory, VectorQuery};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::PgPool;
use uuid::Uuid;

use crate::kit::{account, new_memory, text, version_of, writer};

const WORDS: [&str; 6] = ["tea", "ship", "captain", "music", "garden", "letter"];
const DIMENSIONS: usize = 64;

#[derive(Debug, Clone)]
enum Act {
    Add { seed: u64, is_embedded: bool },
    Embed { which: usize, seed: u64 },
    Rewrite { which: usize, seed: u64, is_embedded: bool },
    Expire { which: usize, is_over: bool },
    Delete { which: usize },
}

fn an_act() -> impl Strategy<Value = Act> {
    let which = 0_usize..1_000;
    prop_oneof![
        (any::<u64>(), any::<bool>()).prop_map(|(seed, is_embedded)| Act::Add { seed, is_embedded }),
        (which.clone(), any::<u64>()).prop_map(|(which, seed)| Act::Embed { which, seed }),
        (which.clone(), any::<u64>(), any::<bool>()).prop_map(|(which, seed, is_embedded)| Act::Rewrite {
            which,
            seed,
            is_embedded
        }),
        (which.clone(), any::<bool>()).prop_map(|(which, is_over)| Act::Expire { which, is_over }),
        which.prop_map(|which| Act::Delete { which }),
    ]
}

fn vector(seed: u64) -> Vector {
    // SplitMix64.
    let number = |place: u64| {
        let mixed = (seed.wrapping_mul(1_009) + place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f32::from(u16::try_from((mixed ^ (mixed >> 31)) >> 48).expect("16 bits")) / 32_768.0 - 1.0
    };
    Vector::new((0..DIMENSIONS as u64).map(number).collect()).expect("a vector")
}

fn words(seed: u64) -> String {
    (0..3)
        .map(|place| WORDS[usize::try_from(seed >> (8 * place) & 0xFF).expect("a byte") % WORDS.len()])
        .collect::<Vec<_>>()
        .join(" ")
}

fn memory(seed: u64, is_embedded: bool) -> NewMemory {
    let windows = if is_embedded { vec![vector(seed), vector(seed ^ 0xFFFF)] } else { Vec::new() };
    NewMemory { windows, ..new_memory(&words(seed)) }
}

/// Stores on one database: two that hold what is searched, and one that never does.
struct Stores {
    held: [Store; 2],
    plain: Store,
}

impl Stores {
    fn on(pool: &PgPool, bytes: usize) -> Self {
        let keys = Arc::new(KeyRing::new(vec![FernetKey::generate()]).expect("a key ring"));
        let store = || Store::new(pool.clone(), Arc::clone(&keys), Clock::system());
        Self {
            held: [store().with_search_memory(bytes), store().with_search_memory(bytes)],
            plain: store().with_search_memory(0),
        }
    }

    /// Searches until both hold what this person searches.
    async fn warm_up(&self, owner: UserId) {
        let began = Instant::now();
        while self.held.iter().any(|store| store.held_indexes().0 == 0) {
            assert!(began.elapsed() < Duration::from_secs(20), "nothing is held");
            for store in &self.held {
                search(store, owner, 1, ExpirationStatus::Active).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn agree(&self, owner: UserId, seed: u64, expiration_status: ExpirationStatus) {
        let expected = search(&self.plain, owner, seed, expiration_status).await;
        for (number, store) in self.held.iter().enumerate() {
            let found = search(store, owner, seed, expiration_status).await;
            assert!(
                found.near == expected.near && found.total == expected.total,
                "store {number}: {:?} {:?}",
                found.near,
                expected.near
            );
            assert!(found == expected, "store {number}: {:?} {:?}", found.lengths, expected.lengths);
        }
    }
}

#[derive(Debug, PartialEq)]
struct Found {
    near: Vec<(Uuid, i64)>,
    total: i64,
    by_word: Vec<(Uuid, i32, Vec<i16>, bool)>,
    lengths: (i64, i64),
}

async fn search(store: &Store, owner: UserId, seed: u64, expiration_status: ExpirationStatus) -> Found {
    let filter = MemoryFilter { expiration_status, ..MemoryFilter::default() };
    let vector = vector(seed);
    let wanted = VectorQuery { model: "model", vector: &vector, min_similarity: None, limit: 12, may_estimate: false };
    let current = store.current(&[Reach::Own(owner)], &filter).await.expect("a look");
    let near = store.near(Reach::Own(owner), &filter, &wanted, current.as_ref()).await.expect("a search");
    assert!(!near.is_estimated);
    let hashes = store.hash_query(owner, &words_of_query(&words(seed))).await.expect("hashes");
    let hits = store.keyword_hits(Reach::Own(owner), &filter, &hashes, current.as_ref()).await.expect("a search");
    let mut by_word: Vec<_> = hits
        .rows
        .iter()
        .zip(hits.counts.chunks((hits.counts.len() / hits.rows.len().max(1)).max(1)))
        .map(|(row, counts)| (row.memory_id, row.length, counts.to_vec(), row.is_wanted))
        .collect();
    by_word.sort();
    #[expect(clippy::cast_possible_truncation, reason = "to the sixth decimal place")]
    let rounded = |similarity: f64| (similarity * 1e6).round() as i64;
    Found {
        near: near.rows.into_iter().map(|row| (row.memory_id, rounded(row.similarity))).collect(),
        total: near.total,
        by_word,
        lengths: (hits.documents, hits.total_length),
    }
}

async fn carry_out(store: &Store, owner: UserId, ids: &mut Vec<MemoryId>, act: &Act) {
    let pick = |which: usize| ids[which % ids.len()];
    let change = |change: MemoryChange, id: MemoryId| async move {
        store.update_memory(writer(owner), id, &change).await.expect("a change");
    };
    match *act {
        Act::Add { seed, is_embedded } => {
            let new = memory(seed, is_embedded);
            ids.push(new.id);
            store.create_memories(writer(owner), &[new], drop).await.expect("a memory");
        }
        Act::Embed { which, seed } => {
            store.finish_embedding(version_of(owner, pick(which), 1), "model", &[vector(seed)], true).await.expect("an answer");
        }
        Act::Rewrite { which, seed, is_embedded } => {
            let windows = if is_embedded { vec![vector(seed)] } else { Vec::new() };
            change(MemoryChange { text: Some((text(&words(seed)), windows)), ..MemoryChange::default() }, pick(which)).await;
        }
        Act::Expire { which, is_over } => {
            let moment = if is_over { "2001-01-01T00:00:00Z" } else { "2101-01-01T00:00:00Z" };
            let moment = moment.parse().expect("a time");
            change(MemoryChange { expiration_date: Some(Some(moment)), ..MemoryChange::default() }, pick(which)).await;
        }
        Act::Delete { which } => {
            let id = ids.swap_remove(which % ids.len());
            store.delete_memory(owner, id, None).await.expect("a deletion");
        }
    }
}

async fn acts_agree(pool: PgPool, bytes: usize, acts: usize) {
    let stores = Stores::on(&pool, bytes);
    let owner = account(&stores.plain, "ada").await;
    let new: Vec<NewMemory> = (0..260).map(|seed| memory(seed * 0x0101_0101, seed % 10 != 0)).collect();
    let mut ids: Vec<MemoryId> = new.iter().map(|memory| memory.id).collect();
    stores.plain.create_memories(writer(owner), &new, drop).await.expect("memories");
    stores.warm_up(owner).await;
    let mut runner = TestRunner::deterministic();
    for number in 0..acts {
        let act = an_act().new_tree(&mut runner).expect("an act").current();
        let who = [&stores.held[0], &stores.held[1], &stores.plain][number % 3];
        carry_out(who, owner, &mut ids, &act).await;
        let status = if number % 4 == 0 { ExpirationStatus::All } else { ExpirationStatus::Active };
        stores.agree(owner, number as u64 * 0x0301_0201, status).await;
    }
    for store in &stores.held {
        assert_eq!(store.held_indexes().0, 1, "it was held to the end");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn whatever_changes_anywhere_is_found_by_the_next_search(pool: PgPool) {
    acts_agree(pool, 10 << 20, 150).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn so_it_is_by_signs(pool: PgPool) {
    // Room for signs, and not for numbers.
    acts_agree(pool, 100_000, 60).await;
}

/// A transaction that takes its time begins before others and ends after them.
#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_is_committed_late_is_found_too(pool: PgPool) {
    let stores = Stores::on(&pool, 10 << 20);
    let owner = account(&stores.plain, "ada").await;
    let new: Vec<NewMemory> = (0..250).map(|seed| memory(seed, true)).collect();
    stores.plain.create_memories(writer(owner), &new, drop).await.expect("memories");
    stores.warm_up(owner).await;
    let mut late = pool.begin().await.expect("a transaction");
    sqlx::query("DELETE FROM memories WHERE id = $1").bind(new[3].id.0).execute(&mut *late).await.expect("a deletion");
    for seed in 1_000..1_005 {
        let other = memory(seed, true);
        stores.held[0].create_memories(writer(owner), &[other], drop).await.expect("a memory");
        stores.agree(owner, seed, ExpirationStatus::Active).await;
    }

    late.commit().await.expect("a commit");

    stores.agree(owner, 3, ExpirationStatus::Active).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn whoever_searched_last_is_held_and_nobody_without_room(pool: PgPool) {
    let stores = Stores::on(&pool, 60_000);
    let mut people = Vec::new();
    for name in ["ada", "bob", "cy"] {
        let owner = account(&stores.plain, name).await;
        let new: Vec<NewMemory> = (0..210).map(|seed| memory(seed, true)).collect();
        stores.plain.create_memories(writer(owner), &new, drop).await.expect("memories");
        people.push(owner);
    }
    for owner in &people {
        for _ in 0..20 {
            stores.agree(*owner, 7, ExpirationStatus::Active).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let (held, bytes) = stores.held[0].held_indexes();
    assert!((1..people.len()).contains(&held) && bytes <= 60_000, "{held} take {bytes}");
    assert_eq!(stores.plain.held_indexes(), (0, 0));
}
