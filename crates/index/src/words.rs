//! Which memories have which word.

use std::collections::HashMap;

/// Lists of places by word.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    lists: HashMap<i64, Vec<Posting>>,
    count: usize,
}

/// Six bytes without the padding that a tuple would have.
#[derive(Debug, Clone, Copy)]
struct Posting {
    place: [u16; 2],
    count: i16,
}

impl Posting {
    fn place(self) -> u32 {
        u32::from(self.place[0]) << 16 | u32::from(self.place[1])
    }

    fn at(place: u32, count: i16) -> Self {
        let [first, second, third, fourth] = place.to_be_bytes();
        Self { place: [u16::from_be_bytes([first, second]), u16::from_be_bytes([third, fourth])], count }
    }
}

impl Postings {
    pub(crate) fn push(&mut self, place: u32, hashes: &[i64], counts: &[i16]) {
        for (hash, count) in hashes.iter().zip(counts) {
            self.lists.entry(*hash).or_default().push(Posting::at(place, *count));
            self.count += 1;
        }
    }

    /// The places where a word stands, and how often.
    pub(crate) fn of(&self, hash: i64) -> impl Iterator<Item = (u32, i16)> + '_ {
        self.lists.get(&hash).into_iter().flatten().map(|posting| (posting.place(), posting.count))
    }

    /// Keeps the places that have a new number.
    pub(crate) fn renumber(&mut self, moved: &[Option<u32>]) {
        for list in self.lists.values_mut() {
            *list = list.iter().filter_map(|old| Some(Posting::at(moved[old.place() as usize]?, old.count))).collect();
        }
        self.lists.retain(|_, list| !list.is_empty());
        self.count = self.lists.values().map(Vec::len).sum();
    }

    pub(crate) fn bytes(&self) -> usize {
        // A list that grows has room for half as many again, on the average.
        self.lists.capacity() * (size_of::<(i64, Vec<Posting>)>() + 1) + self.count * size_of::<Posting>() * 3 / 2
    }
}
