//! Search by word on sealed texts: which memories have which of the words, and how often. What that is worth is
//! calculated by the rules ([`picard_domain::ranking`]).

use picard_domain::commands::MemoryFilter;
use picard_domain::{Error, Reach, UserId};
use picard_index::Match;
use sqlx::FromRow;
use uuid::Uuid;

use super::near::own_reach;
use super::words::own_words;
use super::{Query, push_filter, push_reach};
use crate::Store;
use crate::error::storage_error;
use crate::search_index::CurrentIndex;

/// The hashes of the words that are looked for: under the reader's key, and under the deployment's.
#[derive(Debug, Clone, Default)]
pub struct WordQuery {
    own: Vec<i64>,
    open: Vec<i64>,
}

impl WordQuery {
    /// How many words are looked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether no word is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }
}

/// A memory in which at least one of the words stands.
#[derive(Debug, Clone, Copy)]
pub struct KeywordRow {
    /// The memory.
    pub memory_id: Uuid,
    /// How many words it has.
    pub length: i32,
    /// Whether it passes the filter; what does not still counts for how rare a word is.
    pub is_wanted: bool,
}

#[derive(FromRow)]
struct FoundRow {
    memory_id: Uuid,
    length: i32,
    counts: Vec<i16>,
    is_wanted: bool,
}

/// The memories within reach, as far as keyword search needs to know them.
#[derive(Debug, Clone, Default)]
pub struct KeywordHits {
    /// Those with at least one of the words.
    pub rows: Vec<KeywordRow>,
    /// How often each of the words stands in each of them: for each row one number a word, in the words' order.
    pub counts: Vec<i16>,
    /// How many there are, with the words or without.
    pub documents: i64,
    /// How many words they have together.
    pub total_length: i64,
}

impl Store {
    /// Hashes the words of a query.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such reader (any more); as every statement.
    pub async fn hash_query(&self, reader: UserId, words: &[String]) -> Result<WordQuery, Error> {
        let key = self.known_key(reader).await?;
        let (own, open) = (own_words(&key), self.open_words().await?);
        Ok(WordQuery {
            own: words.iter().map(|word| own.word(word)).collect(),
            open: words.iter().map(|word| open.word(word)).collect(),
        })
    }

    /// Finds the memories in which the words stand; `current` is what [`Store::current`] says of this search. One's own are searched under one's own key, all others, and what is
    /// public, under the deployment's.
    ///
    /// # Errors
    /// As every statement.
    pub async fn keyword_hits(
        &self,
        reach: Reach,
        filter: &MemoryFilter,
        words: &WordQuery,
        current: Option<&CurrentIndex>,
    ) -> Result<KeywordHits, Error> {
        let own = own_reach(reach, filter);
        if let Some(current) = current.filter(|current| own == Some(current.held.owner)) {
            let (matches, (documents, total_length)) = current.held.matches(&words.own, current.now);
            let row = |found: Match| KeywordRow { memory_id: found.id, length: found.length, is_wanted: !found.has_expired };
            let rows = matches.rows.into_iter().map(row).collect();
            return Ok(KeywordHits { rows, counts: matches.counts, documents, total_length });
        }
        let (column, hashes) = if matches!(reach, Reach::Own(_)) { ("words", &words.own) } else { ("open_words", &words.open) };
        let mut query = Query::new(format!(
            "SELECT w.memory_id, w.length, ARRAY(
                 SELECT coalesce(w.counts[array_position(w.{column}, q.word)], 0::smallint)
                 FROM unnest("
        ));
        query.push_bind(hashes.clone());
        query.push(") WITH ORDINALITY AS q (word, place) ORDER BY q.place) AS counts, coalesce(true");
        push_filter(&mut query, filter);
        query.push(format_args!(
            ", false) AS is_wanted FROM memory_words w JOIN memories m ON m.user_id = w.user_id AND m.id = w.memory_id WHERE w.{column} && "
        ));
        query.push_bind(hashes.clone());
        if let Reach::Own(owner) = reach {
            query.push(" AND w.user_id = ").push_bind(owner.0);
        }
        query.push(" AND ");
        push_reach(&mut query, reach);
        let found: Vec<FoundRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        let (documents, total_length) = self.lengths(reach).await?;
        let counts = found.iter().flat_map(|row| row.counts.iter().copied()).collect();
        let row = |row: FoundRow| KeywordRow { memory_id: row.memory_id, length: row.length, is_wanted: row.is_wanted };
        Ok(KeywordHits { rows: found.into_iter().map(row).collect(), counts, documents, total_length })
    }

    async fn lengths(&self, reach: Reach) -> Result<(i64, i64), Error> {
        let mut query = Query::new("SELECT count(*), coalesce(sum(w.length), 0) FROM memory_words w WHERE ");
        if let Reach::Own(owner) = reach {
            query.push("w.user_id = ").push_bind(owner.0);
        } else {
            query.push("w.open_words IS NOT NULL AND EXISTS (SELECT FROM memories m WHERE m.user_id = w.user_id AND m.id = w.memory_id AND ");
            push_reach(&mut query, reach);
            query.push(")");
        }
        query.build_query_as().fetch_one(&self.pool).await.map_err(storage_error)
    }
}
