//! Random worlds of people, groups and memories: the rule in Rust and the filter in SQL say the same (MEM-01).

use std::collections::HashSet;

use picard_crypto::{FernetKey, KeyRing};
use picard_domain::commands::MemoryFilter;
use picard_domain::group::GroupName;
use picard_domain::memory::{SharedWith, Tags};
use picard_domain::page::{ExpirationStatus, Order, Sort};
use picard_domain::reach::Standing;
use picard_domain::words::words_of_query;
use picard_domain::{Clock, GroupId, MemoryId, MemoryText, Permission, Reach, UserId, Username, Vector};
use picard_storage::Store;
use picard_storage::accounts::NewAccount;
use picard_storage::memories::{NewMemory, PageRequest, VectorQuery, Writer};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::PgPool;

const PEOPLE: usize = 4;
const GROUPS: usize = 3;
const MODEL: &str = "model";

/// A world in numbers: groups with their owner and members, memories with all that decides who sees them.
#[derive(Debug, Clone)]
struct World {
    groups: Vec<(usize, Vec<usize>)>,
    memories: Vec<Drawn>,
}

#[derive(Debug, Clone)]
struct Drawn {
    owner: usize,
    permission: Permission,
    people: Vec<usize>,
    groups: Vec<usize>,
    is_expired: bool,
}

fn a_world() -> impl Strategy<Value = World> {
    let person = 0..PEOPLE;
    let group = (person.clone(), proptest::collection::vec(person.clone(), 0..PEOPLE));
    let permission = prop::sample::select(Permission::ALL.to_vec());
    let people = proptest::collection::vec(person.clone(), 0..3);
    let groups = proptest::collection::vec(0..GROUPS, 0..3);
    let memory = (person, permission, people, groups, prop::bool::weighted(0.2));
    let memory = memory.prop_map(|(owner, permission, people, groups, is_expired)| Drawn {
        owner,
        permission,
        people,
        groups,
        is_expired,
    });
    (proptest::collection::vec(group, GROUPS), proptest::collection::vec(memory, 1..12))
        .prop_map(|(groups, memories)| World { groups, memories })
}

/// The world as it stands in the database.
struct Built {
    people: Vec<UserId>,
    /// For each person the groups that they own or are in.
    groups: Vec<HashSet<GroupId>>,
    memories: Vec<(MemoryId, UserId, Permission, SharedWith, bool)>,
}

async fn build(store: &Store, world: &World, round: usize) -> Built {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let account = NewAccount {
            id: UserId::generate(),
            username: Username::try_from(format!("p{number}r{round}")).expect("a name"),
            email: None,
            password_hash: None,
            is_superuser: false,
            client_id: None,
        };
        assert!(store.create_account(&account).await.expect("an answer"));
        people.push(account.id);
    }
    let mut groups = vec![HashSet::new(); PEOPLE];
    let mut ids = Vec::new();
    for (owner, members) in &world.groups {
        let id = GroupId::generate();
        let name = GroupName::try_from("Group".to_owned()).expect("a name");
        store.create_group(id, people[*owner], &name, None).await.expect("an answer");
        groups[*owner].insert(id);
        for member in members.iter().filter(|member| *member != owner) {
            store.add_group_member(id, people[*member]).await.expect("an answer");
            groups[*member].insert(id);
        }
        ids.push(id);
    }
    let mut memories = Vec::new();
    for drawn in &world.memories {
        let owner = people[drawn.owner];
        let own = |group: &usize| groups[drawn.owner].contains(&ids[*group]).then_some(ids[*group]);
        let mut shared_with = SharedWith {
            users: drawn.people.iter().map(|&person| people[person]).collect(),
            groups: drawn.groups.iter().filter_map(own).collect(),
        };
        shared_with.users.sort();
        shared_with.users.dedup();
        shared_with.groups.sort();
        shared_with.groups.dedup();
        let now = Clock::system().now();
        let past = "2001-01-01T00:00:00Z".parse().expect("a time");
        let new = NewMemory {
            id: MemoryId::generate(),
            text: MemoryText::try_from("the plan".to_owned()).expect("a text"),
            permission: drawn.permission,
            shared_with: shared_with.clone(),
            tags: Tags::default(),
            category: None,
            expiration_date: drawn.is_expired.then_some(past),
            created_at: now,
            updated_at: now,
            windows: vec![Vector::new(vec![1.0, 0.0]).expect("a vector")],
        };
        let writer = Writer { owner, client: None, model: MODEL, once: None };
        store.create_memories(writer, std::slice::from_ref(&new), drop).await.expect("a memory");
        memories.push((new.id, owner, drawn.permission, shared_with, drawn.is_expired));
    }
    Built { people, groups, memories }
}

/// What of the world the statements find: one by one, in a list, near, and by word.
async fn found(store: &Store, reach: Reach, built: &Built) -> [HashSet<MemoryId>; 4] {
    let filter = MemoryFilter { expiration_status: ExpirationStatus::All, ..MemoryFilter::default() };
    let ours: HashSet<MemoryId> = built.memories.iter().map(|memory| memory.0).collect();
    let only_ours = |ids: Vec<MemoryId>| ids.into_iter().filter(|id| ours.contains(id)).collect::<HashSet<_>>();
    let mut single = Vec::new();
    for (id, ..) in &built.memories {
        single.extend(store.memory(reach, *id).await.expect("an answer").map(|memory| memory.id));
    }
    let page = PageRequest { sort: Sort::CreatedAt, order: Order::Desc, after: None, limit: 10_000 };
    let listed = store.memories(reach, &filter, page).await.expect("a list");
    let count = store.count_memories(reach, &filter).await.expect("a number");
    assert_eq!(usize::try_from(count).expect("a number"), listed.memories.len(), "MEM-10");
    let vector = Vector::new(vec![1.0, 0.0]).expect("a vector");
    let wanted = VectorQuery { model: MODEL, vector: &vector, min_similarity: None, limit: 10_000, may_estimate: false };
    let current = store.current(&[reach], &filter).await.expect("a look");
    let near = store.near(reach, &filter, &wanted, current.as_ref()).await.expect("a search");
    assert_eq!(usize::try_from(near.total).expect("a number"), near.rows.len(), "MEM-10");
    let words = store.hash_query(reach.reader(), &words_of_query("plan")).await.expect("hashes");
    let hits = store.keyword_hits(reach, &filter, &words, current.as_ref()).await.expect("a search");
    assert_eq!(usize::try_from(hits.documents).expect("a number"), hits.rows.len(), "MEM-07: nothing else is counted");
    [
        only_ours(single),
        only_ours(listed.memories.into_iter().map(|memory| memory.id).collect()),
        only_ours(near.rows.into_iter().map(|row| MemoryId(row.memory_id)).collect()),
        only_ours(hits.rows.into_iter().map(|row| MemoryId(row.memory_id)).collect()),
    ]
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn rule_and_filter_agree_on_random_worlds(pool: PgPool) {
    let keys = KeyRing::new(vec![FernetKey::generate()]).expect("a key ring");
    let store = Store::new(pool, std::sync::Arc::new(keys), Clock::system());
    let mut runner = TestRunner::deterministic();
    for round in 0..25 {
        let world = a_world().new_tree(&mut runner).expect("a world").current();
        let built = build(&store, &world, round).await;
        for (number, &reader) in built.people.iter().enumerate() {
            let owners = built.people.iter().map(|&owner| Reach::VisibleOf { reader, owner });
            let reaches = [
                Reach::Own(reader),
                Reach::Shared { reader },
                Reach::Public { reader },
                Reach::PublicOfOthers { reader },
                Reach::Visible { reader },
            ];
            for reach in reaches.into_iter().chain(owners) {
                let expected: HashSet<MemoryId> = built
                    .memories
                    .iter()
                    .filter(|(_, owner, permission, shared_with, is_expired)| {
                        let standing = Standing { owner: *owner, permission: *permission, shared_with, is_expired: *is_expired };
                        reach.contains(&standing, &built.groups[number])
                    })
                    .map(|memory| memory.0)
                    .collect();
                let found = found(&store, reach, &built).await;
                let [single, listed, near, _] = &found;
                assert!(
                    [single, listed, near].iter().all(|ids| **ids == expected),
                    "MEM-01 {reach:?} in {world:?}: {found:?} instead of {expected:?}"
                );
                let is_searched = !matches!(reach, Reach::VisibleOf { .. } | Reach::Visible { .. });
                assert!(!is_searched || found[3] == expected, "MEM-01 {reach:?} by word in {world:?}");
            }
        }
    }
}
