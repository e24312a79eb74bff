//! The words of a text as they are stored: keyed hashes, under the owner's key and, where others may search, under the
//! deployment's.

use std::collections::HashMap;
use std::sync::Arc;

use picard_crypto::{DataKey, KeyedHash};
use picard_domain::words::words_of_text;

/// Hashes the words of texts; a word that comes again is not hashed again.
pub(crate) struct WordHasher {
    own: KeyedHash,
    open: Arc<KeyedHash>,
    seen: HashMap<String, (i64, Option<i64>)>,
}

/// A text's words, ready to be stored: three lists of one length.
#[derive(Debug, Default)]
pub(crate) struct HashedWords {
    pub(crate) length: i32,
    pub(crate) words: Vec<i64>,
    pub(crate) counts: Vec<i16>,
    /// `None`: nobody else may search the text.
    pub(crate) open_words: Option<Vec<i64>>,
}

/// The hash of words that only their owner searches.
pub(crate) fn own_words(key: &DataKey) -> KeyedHash {
    KeyedHash::derive(key, "words")
}

impl WordHasher {
    pub(crate) fn new(key: &DataKey, open: Arc<KeyedHash>) -> Self {
        Self { own: own_words(key), open, seen: HashMap::new() }
    }

    pub(crate) fn hash(&mut self, text: &str, is_open: bool) -> HashedWords {
        let words = words_of_text(text);
        let mut hashed = HashedWords {
            length: i32::try_from(words.length).unwrap_or(i32::MAX),
            open_words: is_open.then(Vec::new),
            ..HashedWords::default()
        };
        for (word, count) in words.counts {
            let entry = self.seen.entry(word);
            let word = entry.key().clone();
            let (own, open) = entry.or_insert_with(|| (self.own.word(&word), None));
            hashed.words.push(*own);
            hashed.counts.push(i16::try_from(count).unwrap_or(i16::MAX));
            if let Some(all) = &mut hashed.open_words {
                all.push(*open.get_or_insert_with(|| self.open.word(&word)));
            }
        }
        hashed
    }
}
