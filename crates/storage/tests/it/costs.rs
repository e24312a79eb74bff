//! What the hot paths take from the allocator, as numbers that are known. Times are noise on a shared machine; how often
//! and how much is allocated is the same in every run, and a copy too many shows.
//!
//! A change that needs more on purpose writes the new numbers here; so does one that needs less.

use allocation_counter::{AllocationInfo, measure};
use picard_crypto::{DataKey, KeyedHash, TextBinding, open_text, seal_text};
use picard_domain::memory::{EmbeddingStatus, SharedWith};
use picard_domain::ranking::{Fusion, Occurrences, bm25};
use picard_domain::words::WordReader;
use picard_domain::{Clock, Memory, MemoryId, Permission, UserId};
use picard_index::{Entry, Index, Words};
use uuid::Uuid;

/// By how much a number may be off.
const SLACK: f64 = 0.05;

const TEXT: &str = "The tea with Grace was on the terrace in Heidelberg; she had brought the letters of her grandmother, and we read \
    them until it was dark. Ask her for the recipe of the plum cake.";

/// Fails unless this allocates about so often, and so many bytes in all. What is made once is made before.
fn costs(name: &str, (times, bytes): (u64, u64), mut work: impl FnMut()) {
    work();
    let AllocationInfo { count_total, bytes_total, .. } = measure(work);

    let is_near = |measured: u64, known: u64| (measured as f64 - known as f64).abs() <= known as f64 * SLACK;
    assert!(
        is_near(count_total, times) && is_near(bytes_total, bytes),
        "{name} allocates {count_total} times, {bytes_total} bytes; {times} and {bytes} are known"
    );
}

fn numbers(seed: u64, length: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn opening_a_sealed_text() {
    let binding = TextBinding { memory_id: [1; 16], owner_id: [2; 16], version: 1 };
    let key = DataKey::generate();
    let sealed = seal_text(&key, &binding, TEXT, 1_800_000_000);

    costs("opening a text", (2, 506), || {
        open_text(&key, &binding, &sealed).expect("a text");
    });
}

#[test]
fn sealing_a_text_and_hashing_its_words() {
    let binding = TextBinding { memory_id: [1; 16], owner_id: [2; 16], version: 1 };
    let key = DataKey::generate();
    let hash = KeyedHash::derive(&key, "words");

    costs("sealing a text and its words", (46, 4_462), || {
        let sealed = seal_text(&key, &binding, TEXT, 1_800_000_000);
        let mut hashes = Vec::new();
        WordReader::new(|word: &str| hash.word(word)).read(TEXT, |hash| hashes.push(*hash));
        assert!(!sealed.is_empty() && hashes.len() > 20);
    });
}

#[test]
fn finding_the_nearest_of_two_thousand_and_those_with_a_word() {
    let mut index = Index::new(384, false);
    for number in 0..2_000_u64 {
        let hashes = (0..12).map(|word| i64::try_from(number % 7 * 100 + word).expect("a number")).collect();
        let words = Some(Words { length: 12, hashes, counts: vec![1; 12] });
        let vectors = vec![numbers(number + 1, 384)];
        index.put(&Entry { id: Uuid::from_u128(u128::from(number) + 1), words, vectors, expires_at: None });
    }
    let query = numbers(77, 384);

    costs("the nearest", (19, 45_856), || assert_eq!(index.nearest(&query, 200, 0).len(), 200));
    costs("those with a word", (20, 65_240), || assert!(index.matches(&[101, 205, 999], 0).rows.len() > 500));
}

#[test]
fn ranking_by_words_and_meaning() {
    let counts: Vec<i16> = (0..3_000).map(|number| number % 4).collect();
    let texts: Vec<Occurrences<'_>> = counts.chunks_exact(3).map(|counts| Occurrences { counts, length: 20 }).collect();
    let candidates: Vec<(Option<f64>, f64)> = (0..400).map(|number| (Some(f64::from(number) / 400.0), 0.5)).collect();

    costs("ranking", (2, 8_024), || {
        let fusion = Fusion::over(&candidates);
        let words = bm25(10_000, 120_000, &texts);
        assert!(words.iter().map(|words| fusion.score(Some(0.5), *words)).sum::<f64>() > 0.0);
    });
}

#[test]
fn writing_a_page_of_memories_as_json() {
    let now = Clock::system().now();
    let memory = Memory {
        id: MemoryId(Uuid::from_u128(1)),
        user_id: UserId(Uuid::from_u128(2)),
        text: TEXT.to_owned(),
        permission: Permission::Private,
        tags: vec!["tea".to_owned(), "grace".to_owned()],
        category: Some("people".to_owned()),
        shared_with: Some(SharedWith::default()),
        expiration_date: None,
        is_expired: false,
        version: 1,
        embedding_status: EmbeddingStatus::Ready,
        created_at: now,
        updated_at: now,
    };
    let page: Vec<Memory> = vec![memory; 20];

    costs("a page as JSON", (128, 39_728), || assert!(serde_json::to_string(&page).expect("JSON").len() > 5_000));
}
