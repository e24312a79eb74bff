//! One person's memories as a search sees them, held in memory: quantised vectors and keyed hashes of words. No texts.
//!
//! It finds candidates; who may see them is asked elsewhere, and so is what is in them.

mod vectors;
mod words;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use vectors::Vectors;
use words::Postings;

/// More than this share of the places may be empty before everything is put together anew.
const MOST_EMPTY: usize = 4;

/// What of a memory is compared.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The memory.
    pub id: Uuid,
    /// When it expires, in microseconds since 1970.
    pub expires_at: Option<i64>,
    /// Its words; `None`: not known yet.
    pub words: Option<Words>,
    /// The vectors of its windows; none: not embedded yet.
    pub vectors: Vec<Vec<f32>>,
}

/// The words of a text.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// How many there are.
    pub length: i32,
    /// Keyed hashes of the different ones.
    pub hashes: Vec<i64>,
    /// How often each of them stands in it.
    pub counts: Vec<i16>,
}

/// A memory that is near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The memory.
    pub id: Uuid,
    /// About its cosine similarity: to three decimal places by numbers, hardly one by signs alone.
    pub similarity: f32,
}

/// The memories in which at least one of the words stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// The memories, in any order.
    pub rows: Vec<Match>,
    /// How often each of the words stands in each of them: for each row one number a word.
    pub counts: Vec<i16>,
}

/// A memory in which at least one of the words stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The memory.
    pub id: Uuid,
    /// How many words it has.
    pub length: i32,
    /// Whether it has expired.
    pub has_expired: bool,
}

#[derive(Debug)]
struct Place {
    id: Uuid,
    expires_at: i64,
    /// `None`: words are not known.
    length: Option<i32>,
    windows: u32,
    is_taken: bool,
}

/// The memories of one person that are compared by the vectors of one model.
#[derive(Debug)]
pub struct Index {
    places: Vec<Place>,
    by_id: HashMap<Uuid, u32>,
    vectors: Vectors,
    postings: Postings,
    documents: i64,
    total_length: i64,
}

impl Index {
    /// An empty one for vectors of this length; by signs takes an eighth of the room and finds only candidates.
    #[must_use]
    pub fn new(dimensions: usize, by_signs: bool) -> Self {
        Self {
            places: Vec::new(),
            by_id: HashMap::new(),
            vectors: Vectors::new(dimensions, by_signs),
            postings: Postings::default(),
            documents: 0,
            total_length: 0,
        }
    }

    /// Whether similarities are worth something; otherwise they only say what to look at.
    #[must_use]
    pub fn is_by_signs(&self) -> bool {
        self.vectors.is_by_signs()
    }

    /// Whether vectors of this length can be looked for.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.vectors.dimensions()
    }

    /// Puts a memory in, in place of what was known of it. Vectors of another length are left out.
    pub fn put(&mut self, entry: &Entry) {
        self.remove(entry.id);
        let Ok(place) = u32::try_from(self.places.len()) else { return };
        let mut windows = 0;
        for vector in &entry.vectors {
            windows += u32::from(self.vectors.push(place, vector));
        }
        if let Some(words) = &entry.words {
            self.postings.push(place, &words.hashes, &words.counts);
            self.documents += 1;
            self.total_length += i64::from(words.length);
        }
        self.places.push(Place {
            id: entry.id,
            expires_at: entry.expires_at.unwrap_or(i64::MAX),
            length: entry.words.as_ref().map(|words| words.length),
            windows,
            is_taken: true,
        });
        self.by_id.insert(entry.id, place);
    }

    /// Adds another window of a memory, if that is there.
    pub fn add_window(&mut self, id: Uuid, vector: &[f32]) {
        let Some(place) = self.by_id.get(&id) else { return };
        let is_added = self.vectors.push(*place, vector);
        self.places[*place as usize].windows += u32::from(is_added);
    }

    /// Takes a memory out, if it is there.
    pub fn remove(&mut self, id: Uuid) {
        let Some(place) = self.by_id.remove(&id) else { return };
        let place = &mut self.places[place as usize];
        place.is_taken = false;
        if let Some(length) = place.length {
            self.documents -= 1;
            self.total_length -= i64::from(length);
        }
        if self.places.len() > 64 && (self.places.len() - self.by_id.len()) * MOST_EMPTY > self.places.len() {
            self.put_together();
        }
    }

    /// Gives the room of what was taken out back.
    fn put_together(&mut self) {
        let mut next = 0_u32;
        let moved: Vec<Option<u32>> = self
            .places
            .iter()
            .map(|place| {
                place.is_taken.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        self.places.retain(|place| place.is_taken);
        self.vectors.renumber(&moved);
        self.postings.renumber(&moved);
        self.by_id.values_mut().for_each(|place| *place = moved[*place as usize].unwrap_or(*place));
    }

    /// The memories that are nearest to a vector and have not expired, the nearest first.
    #[must_use]
    pub fn nearest(&self, vector: &[f32], count: usize, now: i64) -> Vec<Neighbour> {
        let by_similarity = |left: &(u32, f32), right: &(u32, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
        // A memory of several windows is there several times.
        let mut windows = count.saturating_mul(2);
        loop {
            let mut found = self.vectors.nearest(vector, windows, |place| self.is_there(place, now));
            let is_all = found.len() < windows;
            if windows < found.len() {
                found.select_nth_unstable_by(windows, by_similarity);
                found.truncate(windows);
            }
            found.sort_unstable_by(by_similarity);
            let mut seen = HashSet::with_capacity(found.len());
            let near: Vec<Neighbour> = found
                .iter()
                .filter(|(place, _)| seen.insert(*place))
                .take(count)
                .map(|(place, similarity)| Neighbour { id: self.places[*place as usize].id, similarity: *similarity })
                .collect();
            if is_all || near.len() == count {
                return near;
            }
            windows = windows.saturating_mul(4);
        }
    }

    /// How similar these memories are, as far as they are here and embedded; by signs nothing can be said.
    #[must_use]
    pub fn similarities(&self, vector: &[f32], ids: &[Uuid]) -> Vec<Neighbour> {
        let mut is_wanted = vec![false; self.places.len()];
        ids.iter().filter_map(|id| self.by_id.get(id)).for_each(|place| is_wanted[*place as usize] = true);
        let mut found = self.vectors.compare(vector, |place| is_wanted[place as usize]);
        found.sort_unstable_by(|left, right| left.0.cmp(&right.0).then(right.1.total_cmp(&left.1)));
        found.dedup_by_key(|(place, _)| *place);
        found.into_iter().map(|(place, similarity)| Neighbour { id: self.places[place as usize].id, similarity }).collect()
    }

    /// The memories in which at least one of the words stands, expired ones included.
    #[must_use]
    pub fn matches(&self, words: &[i64], now: i64) -> Matches {
        // The row of each place, counted from one.
        let mut row_of = vec![0_u32; self.places.len()];
        let mut matches = Matches::default();
        for (number, word) in words.iter().enumerate() {
            for (place, count) in self.postings.of(*word) {
                let at = &self.places[place as usize];
                if !at.is_taken {
                    continue;
                }
                let row = &mut row_of[place as usize];
                if *row == 0 {
                    let length = at.length.unwrap_or_default();
                    matches.rows.push(Match { id: at.id, length, has_expired: at.expires_at <= now });
                    matches.counts.resize(matches.counts.len() + words.len(), 0);
                    *row = u32::try_from(matches.rows.len()).unwrap_or_default();
                }
                matches.counts[(*row as usize - 1) * words.len() + number] = count;
            }
        }
        matches
    }

    /// How many memories are embedded and have not expired.
    #[must_use]
    pub fn embedded(&self, now: i64) -> usize {
        self.places.iter().filter(|place| place.is_taken && place.windows > 0 && place.expires_at > now).count()
    }

    /// How many memories have their words here, expired ones included, and how many words those have together.
    #[must_use]
    pub fn lengths(&self) -> (i64, i64) {
        (self.documents, self.total_length)
    }

    /// How many memories there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// About how much room it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
            + self.by_id.capacity() * (size_of::<(Uuid, u32)>() + 1)
            + self.vectors.bytes()
            + self.postings.bytes()
    }

    /// How many numbers (or words of signs) a comparison goes through.
    #[must_use]
    pub fn work(&self) -> usize {
        self.vectors.work()
    }

    fn is_there(&self, place: u32, now: i64) -> bool {
        let place = &self.places[place as usize];
        place.is_taken && place.expires_at > now
    }
}

#[cfg(test)]
mod tests;
