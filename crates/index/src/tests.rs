use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_000;

/// Numbers that look random and are always the same.
fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut number = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        let number = (state >> 40) as f32 / 8_388_608.0 - 1.0;
        number
    };
    (0..dimensions).map(|_| number()).collect()
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

fn entry(number: u64, vectors: Vec<Vec<f32>>) -> Entry {
    Entry { id: Uuid::from_u128(u128::from(number)), vectors, ..Entry::default() }
}

fn with_words(number: u64, hashes: &[i64]) -> Entry {
    let words = Words { length: 10, hashes: hashes.to_vec(), counts: vec![2; hashes.len()] };
    Entry { words: Some(words), ..entry(number, Vec::new()) }
}

#[test]
fn similarities_are_right_to_three_decimal_places() {
    for dimensions in [3, 17, 384, 1_536] {
        let mut index = Index::new(dimensions, false);
        for number in 0..50 {
            index.put(&entry(number, vec![vector(number + 1, dimensions)]));
        }
        let query = vector(99, dimensions);

        let near = index.nearest(&query, 50, NOW);

        assert_eq!(near.len(), 50);
        for neighbour in near {
            let number = u64::try_from(neighbour.id.as_u128()).expect("small");
            let exact = cosine(&query, &vector(number + 1, dimensions));
            let error = (neighbour.similarity - exact).abs();
            assert!(error < if dimensions < 100 { 0.01 } else { 0.001 }, "{dimensions}: {error}");
        }
    }
}

#[test]
fn signs_find_the_nearest_among_their_candidates() {
    let mut index = Index::new(1_536, true);
    for number in 0..500 {
        index.put(&entry(number, vec![vector(number + 1, 1_536)]));
    }
    let query: Vec<f32> = vector(8, 1_536).iter().zip(vector(77_777, 1_536)).map(|(same, other)| same + 0.5 * other).collect();

    assert_eq!(index.nearest(&query, 1, NOW)[0].id, Uuid::from_u128(7));
}

#[test]
fn hardly_any_of_the_nearest_is_missed_by_signs() {
    const DIMENSIONS: usize = 96;
    let mut index = Index::new(DIMENSIONS, true);
    let vectors: Vec<Vec<f32>> = (0..2_000).map(|number| vector(number + 1, DIMENSIONS)).collect();
    for (number, vector) in (0..).zip(&vectors) {
        index.put(&entry(number, vec![vector.clone()]));
    }
    let mut missed = 0;
    for query in 0..20 {
        let query = vector(100_000 + query, DIMENSIONS);
        let mut exact: Vec<(f32, u128)> = (0..).zip(&vectors).map(|(number, vector)| (cosine(&query, vector), number)).collect();
        exact.sort_by(|left, right| right.0.total_cmp(&left.0));

        let near: Vec<u128> = index.nearest(&query, 200, NOW).iter().map(|near| near.id.as_u128()).collect();

        missed += exact[..10].iter().filter(|(_, number)| !near.contains(number)).count();
    }

    // With signs compared with signs alone it is one in eight.
    assert!(missed <= 6, "{missed} of 200 in a tenth of all");
}

#[test]
fn a_memory_of_several_windows_is_found_once_by_its_nearest() {
    let mut index = Index::new(2, false);
    index.put(&entry(1, vec![vec![1.0, 0.0], vec![0.9, 0.1]]));
    index.add_window(Uuid::from_u128(1), &[0.8, 0.1]);
    index.add_window(Uuid::from_u128(9), &[0.8, 0.1]);
    index.put(&entry(2, vec![vec![0.0, 1.0]]));

    let near = index.nearest(&[1.0, 0.0], 2, NOW);

    let ids: Vec<u128> = near.iter().map(|near| near.id.as_u128()).collect();
    assert_eq!(ids, [1, 2]);
    assert!((near[0].similarity - 1.0).abs() < 0.01);
    let of_both = index.similarities(&[1.0, 0.0], &[Uuid::from_u128(2), Uuid::from_u128(1), Uuid::from_u128(3)]);
    assert_eq!(of_both.len(), 2);
}

#[test]
fn what_has_expired_is_counted_among_words_and_found_nowhere() {
    let mut index = Index::new(1, false);
    let mut old = with_words(1, &[7]);
    old.expires_at = Some(NOW);
    old.vectors = vec![vec![1.0]];
    index.put(&old);
    index.put(&with_words(2, &[7, 8]));

    assert!(index.nearest(&[1.0], 5, NOW).is_empty());
    assert_eq!(index.nearest(&[1.0], 5, NOW - 1).len(), 1);
    assert_eq!((index.embedded(NOW), index.embedded(NOW - 1)), (0, 1));
    assert_eq!(index.lengths(), (2, 20));
    let found = index.matches(&[8, 7], NOW);
    let row = |(row, counts): (&Match, &[i16])| (row.id.as_u128(), counts.to_vec(), row.has_expired);
    let mut rows: Vec<_> = found.rows.iter().zip(found.counts.chunks(2)).map(row).collect();
    rows.sort();
    assert_eq!(rows, [(1, vec![0, 2], true), (2, vec![2, 2], false)]);
}

#[test]
fn vectors_of_another_length_are_left_out() {
    let mut index = Index::new(2, false);
    index.put(&entry(1, vec![vec![1.0]]));

    assert_eq!((index.len(), index.embedded(NOW)), (1, 0));
    assert!(index.nearest(&[1.0], 1, NOW).is_empty());
}

proptest! {
    /// Whatever was put in, changed and taken out before: what is found is what is there.
    #[test]
    fn an_index_is_the_sum_of_its_changes(by_signs: bool, changes in proptest::collection::vec((0_u64..40, 0_u8..4), 1..400)) {
        let mut index = Index::new(8, by_signs);
        let mut kept: HashMap<u64, u64> = HashMap::new();
        for (step, (number, kind)) in changes.into_iter().enumerate() {
            if kind == 0 {
                index.remove(Uuid::from_u128(u128::from(number)));
                kept.remove(&number);
            } else {
                let seed = step as u64 + 1;
                let mut entry = with_words(number, &[i64::from(kind)]);
                entry.vectors = vec![vector(seed, 8)];
                index.put(&entry);
                kept.insert(number, seed);
            }
        }
        prop_assert_eq!(index.len(), kept.len());
        prop_assert_eq!(index.is_empty(), kept.is_empty());
        prop_assert_eq!(index.embedded(NOW), kept.len());
        prop_assert_eq!(index.lengths().0, i64::try_from(kept.len()).expect("few"));
        prop_assert_eq!(index.matches(&[1, 2, 3], NOW).rows.len(), kept.len());
        prop_assert_eq!(index.nearest(&vector(5, 8), 100, NOW).len(), kept.len());
        for (number, seed) in kept {
            let near = index.nearest(&vector(seed, 8), 1, NOW);
            let id = Uuid::from_u128(u128::from(number));
            let similarities = index.similarities(&vector(seed, 8), &[id]);
            prop_assert_eq!(similarities.is_empty(), by_signs, "signs say little");
            prop_assert!(by_signs || near[0].similarity > 0.99, "{}", near[0].similarity);
            prop_assert!(similarities.iter().all(|found| found.similarity > 0.99));
        }
        prop_assert!(index.bytes() < 1_000_000);
    }
}
