//! The words of a text as they are stored: keyed hashes, under the owner's key and, where others may search, under the
//! deployment's.

use std::sync::Arc;

use picard_crypto::{DataKey, KeyedHash, open_text};
use picard_domain::words::WordReader;
use picard_domain::{Error, Permission};
use uuid::Uuid;

use super::binding;
use crate::Store;
use crate::error::storage_error;

/// How many memories get their words in one go.
const BATCH: i64 = 200;

/// Hashes the words of texts; a word that comes again is not hashed again.
pub(crate) struct WordHasher {
    reader: WordReader<Hashes, Make>,
}

/// Hashes a word that was not met before.
type Make = Box<dyn FnMut(&str) -> Hashes + Send>;

/// A word under the owner's key and, if it is asked for, under the deployment's.
type Hashes = (i64, Option<i64>);

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
    /// `is_open`: some of the texts may be searched by others.
    pub(crate) fn new(key: &DataKey, open: Arc<KeyedHash>, is_open: bool) -> Self {
        let own = own_words(key);
        let make = move |word: &str| (own.word(word), is_open.then(|| open.word(word)));
        Self { reader: WordReader::new(Box::new(make)) }
    }

    pub(crate) fn hash(&mut self, text: &str, is_open: bool) -> HashedWords {
        let mut found = Vec::new();
        let length = self.reader.read(text, |hashes| found.push(*hashes));
        // By their hashes: the order of the words themselves would tell something of them.
        found.sort_unstable();
        let mut hashed = HashedWords {
            length: i32::try_from(length).unwrap_or(i32::MAX),
            open_words: is_open.then(Vec::new),
            ..HashedWords::default()
        };
        for same in found.chunk_by(|left, right| left.0 == right.0) {
            hashed.words.push(same[0].0);
            hashed.counts.push(i16::try_from(same.len()).unwrap_or(i16::MAX));
            if let (Some(all), (_, Some(open))) = (&mut hashed.open_words, same[0]) {
                all.push(open);
            }
        }
        hashed
    }
}

struct WordlessRow {
    id: Uuid,
    user_id: Uuid,
    text_version: i64,
    ciphertext: String,
    permission: String,
    data_key: String,
}

impl Store {
    /// Stores the words of some of the memories that have none, which are those from before keyword search; answers how
    /// many. One that cannot be decrypted gets an empty list.
    ///
    /// # Errors
    /// As every statement.
    pub async fn index_missing_words(&self) -> Result<usize, Error> {
        let rows = sqlx::query_as!(
            WordlessRow,
            "SELECT m.id, m.user_id, m.text_version, m.ciphertext, m.permission, u.data_key FROM memories m JOIN users u ON u.id = m.user_id
             WHERE NOT EXISTS (SELECT 1 FROM memory_words w WHERE w.user_id = m.user_id AND w.memory_id = m.id) LIMIT $1",
            BATCH,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let open = self.open_words().await?;
        for row in &rows {
            let key = self.open_data_key(row.user_id, &row.data_key)?;
            let text = open_text(&key, &binding(row.id, row.user_id, row.text_version), &row.ciphertext).unwrap_or_default();
            let is_open = Permission::from_word(&row.permission).is_some_and(Permission::is_open);
            let hashed = WordHasher::new(&key, Arc::clone(&open), is_open).hash(&text, is_open);
            // A memory that has changed meanwhile has got its words with the change.
            sqlx::query!(
                "WITH indexed AS (
                     INSERT INTO memory_words (memory_id, user_id, length, words, counts, open_words)
                     SELECT m.id, m.user_id, $4, $5, $6, $7 FROM memories m
                     WHERE m.id = $1 AND m.user_id = $8 AND m.text_version = $2 AND m.permission = $3 FOR NO KEY UPDATE
                     ON CONFLICT DO NOTHING RETURNING memory_id
                 )
                 UPDATE memories m SET changed_in = pg_current_xact_id() FROM indexed WHERE m.user_id = $8 AND m.id = indexed.memory_id",
                row.id,
                row.text_version,
                row.permission,
                hashed.length,
                &hashed.words,
                &hashed.counts,
                hashed.open_words.as_deref(),
                row.user_id,
            )
            .execute(&self.pool)
            .await
            .map_err(storage_error)?;
        }
        Ok(rows.len())
    }
}
