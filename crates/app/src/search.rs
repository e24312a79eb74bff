//! Finding memories by meaning, by word, and by both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, try_join_all};
use picard_domain::commands::{MemoryFilter, QueryMemory};
use picard_domain::query::{SearchHit, SearchHits, SearchMode, SearchScope};
use picard_domain::ranking::{Fusion, Occurrences, bm25};
use picard_domain::words::words_of_query;
use picard_domain::{Caller, Error, Memory, Reach, Scope, UserId, Vector};
use picard_storage::CurrentIndex;
use picard_storage::memories::{KeywordHits, Near, VectorQuery, WordQuery};
use uuid::Uuid;

use crate::App;
use crate::query_vectors::QueryKey;
use crate::tally::Counted;

/// What is away when a query cannot be embedded.
const BY_MEANING: &str = "Search by meaning";
/// How deep into each kind of search the other one looks.
const CANDIDATES: usize = 200;
/// More than anybody has.
const EVERYTHING: usize = i32::MAX as usize;

/// A memory that was found, before it is read.
#[derive(Debug, Clone, Copy)]
struct Found {
    id: Uuid,
    score: f64,
    similarity: Option<f64>,
    has_words: bool,
}

/// A memory that was found, and whether it has a word of the question.
pub(crate) struct Recalled {
    pub(crate) hit: SearchHit,
    pub(crate) has_words: bool,
}

/// What was found: the best, and how many there are.
struct Ranking {
    best: Vec<Found>,
    total: i64,
    /// What the similarities are to be compared with once more, because they are estimates.
    exactly: Option<Arc<Vector>>,
}

/// A search as it was asked for.
pub(crate) struct Search<'a> {
    pub(crate) reaches: Vec<Reach>,
    pub(crate) filter: &'a MemoryFilter,
    pub(crate) min_score: Option<f64>,
    pub(crate) limit: usize,
}

impl Search<'_> {
    /// Whose memories are searched, if they are all one person's.
    fn owner(&self) -> Option<UserId> {
        match self.reaches[..] {
            [reach] => self.filter.user_id.or(reach.owner()),
            _ => self.filter.user_id,
        }
    }
}

impl App {
    /// Finds memories among those that the caller may see, the best first.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Unavailable`] when the query cannot be embedded.
    pub fn query_memory<'a>(&'a self, caller: &'a Caller, command: QueryMemory) -> BoxFuture<'a, Result<SearchHits, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let reader = caller.user_id;
            let is_others = command.user_id.is_some_and(|owner| owner != reader);
            let scope = command.scope.unwrap_or(if is_others { SearchScope::All } else { SearchScope::Own });
            let (reach, reaches) = match scope {
                SearchScope::Own => (Reach::Own(reader), vec![Reach::Own(reader)]),
                SearchScope::Shared => (Reach::Shared { reader }, vec![Reach::Shared { reader }]),
                SearchScope::Public => (Reach::Public { reader }, vec![Reach::Public { reader }]),
                // Each part is found in its own way: by owner, by list, by the index of public memories.
                SearchScope::All => (
                    Reach::Visible { reader },
                    vec![Reach::Own(reader), Reach::Shared { reader }, Reach::PublicOfOthers { reader }],
                ),
            };
            let filter = command.filter();
            let search = Search {
                reaches,
                filter: &filter,
                // A score of 0 stands for everything that does not match at all, so asking for it asks for everything.
                min_score: command.min_score.filter(|score| *score > 0.0),
                limit: command.limit.get() as usize,
            };
            let query = command.query.as_str();
            let mut mode = command.mode;
            let ranking = match mode {
                SearchMode::Semantic => self.by_meaning(caller, &search, query).await?,
                SearchMode::Keyword => self.by_word(caller, &search, query).await?,
                // Words need no provider: with it away they are compared alone, and the answer says so.
                SearchMode::Hybrid => match self.by_both(caller, &search, query).await {
                    Err(Error::Unavailable { what: BY_MEANING, .. }) => {
                        mode = SearchMode::Keyword;
                        self.by_word(caller, &search, query).await?
                    }
                    outcome => outcome?,
                },
            };
            self.0.tally.add(Counted::Searches, mode.as_str(), "ok", 1);
            let memories = self.read_found(reach, &ranking).await?;
            self.note_reads(caller, "search", memories.iter().map(|hit| &hit.memory));
            Ok(SearchHits { query: command.query.into(), mode, memories, total_found: ranking.total })
        })
    }

    /// Finds what fits a question, by meaning and by words, or by words alone while the provider of embeddings is away.
    pub(crate) async fn recalled(
        &self,
        caller: &Caller,
        reach: Reach,
        search: &Search<'_>,
        question: &str,
    ) -> Result<Vec<Recalled>, Error> {
        let ranking = match self.by_both(caller, search, question).await {
            Err(Error::Unavailable { what: BY_MEANING, .. }) => self.by_word(caller, search, question).await?,
            outcome => outcome?,
        };
        let with_words: HashSet<Uuid> = ranking.best.iter().filter(|found| found.has_words).map(|found| found.id).collect();
        let hits = self.read_found(reach, &ranking).await?;
        Ok(hits.into_iter().map(|hit| Recalled { has_words: with_words.contains(&hit.memory.id.0), hit }).collect())
    }

    async fn by_meaning(&self, caller: &Caller, search: &Search<'_>, query: &str) -> Result<Ranking, Error> {
        let vector = self.embed_query(caller, query).await?;
        let current = self.0.store.current(&search.reaches, search.filter).await?;
        let wanted = self.vector_query(&vector, search.min_score, search.limit, false);
        let near = self.near(search, &wanted, current.as_ref()).await?;
        let score = |similarity: f64| similarity.clamp(0.0, 1.0);
        let best = near
            .rows
            .into_iter()
            .map(|row| Found {
                id: row.memory_id,
                score: score(row.similarity),
                similarity: Some(row.similarity),
                has_words: false,
            })
            .collect();
        Ok(Ranking { best, total: near.total, exactly: None })
    }

    async fn by_word(&self, caller: &Caller, search: &Search<'_>, query: &str) -> Result<Ranking, Error> {
        let current = self.0.store.current(&search.reaches, search.filter).await?;
        let scores = self.word_scores(caller, search, query, current.as_ref()).await?;
        let found = scores.into_iter().map(|(id, score)| Found { id, score, similarity: None, has_words: true });
        Ok(ranked(found.collect(), search))
    }

    /// The best of either search say how far apart good and bad lie; everything that was found gets its score by that.
    async fn by_both(&self, caller: &Caller, search: &Search<'_>, query: &str) -> Result<Ranking, Error> {
        let depth = CANDIDATES.max(search.limit);
        // Whoever wants to know how much is at least so good makes us look at everything.
        let wanted = if search.min_score.is_some() { EVERYTHING } else { depth };
        let current = self.0.store.current(&search.reaches, search.filter).await?;
        let meaning = async {
            let vector = self.embed_query(caller, query).await?;
            let near = self.near(search, &self.vector_query(&vector, None, wanted, true), current.as_ref()).await?;
            Ok::<_, Error>((vector, near))
        };
        let words = self.word_scores(caller, search, query, current.as_ref());
        let ((vector, near), mut by_word) = tokio::try_join!(meaning, words)?;
        let nearest: HashSet<Uuid> = near.rows.iter().map(|row| row.memory_id).collect();
        let mut words: HashMap<Uuid, f64> = by_word.iter().copied().filter(|(id, _)| nearest.contains(id)).collect();
        keep_best(&mut by_word, wanted);
        words.extend(by_word.iter().copied());
        let mut similarities: HashMap<Uuid, f64> = near.rows.iter().map(|row| (row.memory_id, row.similarity)).collect();
        let others: Vec<Uuid> = by_word.iter().map(|(id, _)| *id).filter(|id| !similarities.contains_key(id)).collect();
        let more = self
            .0
            .store
            .similarities(caller.user_id, search.owner(), &others, &self.vector_query(&vector, None, depth, true))
            .await?;
        similarities.extend(more.into_iter().map(|row| (row.memory_id, row.similarity)));
        let parts = |id: &Uuid| (similarities.get(id).copied(), words.get(id).copied().unwrap_or_default());
        let nearest = near.rows.iter().take(depth).map(|row| row.memory_id);
        let best: HashSet<Uuid> = nearest.chain(by_word.iter().take(depth).map(|(id, _)| *id)).collect();
        let fusion = Fusion::over(&best.iter().map(parts).collect::<Vec<_>>());
        let ids = near.rows.iter().map(|row| row.memory_id).chain(others.iter().copied());
        let found = ids.map(|id| {
            let (similarity, words) = parts(&id);
            Found { id, score: fusion.score(similarity, words), similarity, has_words: words > 0.0 }
        });
        let mut ranking = ranked(found.collect(), search);
        if search.min_score.is_none() {
            // What is not among the best is there all the same; so is what has words and no embedding yet.
            let pending = others.iter().filter(|id| !similarities.contains_key(id)).count();
            ranking.total = near.total + i64::try_from(pending).unwrap_or(0);
        }
        // Estimates order what is found; what is told is exact.
        ranking.exactly = near.is_estimated.then_some(vector);
        Ok(ranking)
    }

    async fn near(&self, search: &Search<'_>, wanted: &VectorQuery<'_>, current: Option<&CurrentIndex>) -> Result<Near, Error> {
        let parts = search.reaches.iter().map(|&reach| self.0.store.near(reach, search.filter, wanted, current));
        let mut all = Near::default();
        for part in try_join_all(parts).await? {
            all.rows.extend(part.rows);
            all.total += part.total;
            all.is_estimated |= part.is_estimated;
        }
        all.rows.sort_by(|left, right| right.similarity.total_cmp(&left.similarity).then(left.memory_id.cmp(&right.memory_id)));
        all.rows.truncate(wanted.limit as usize);
        Ok(all)
    }

    fn vector_query<'a>(
        &'a self,
        vector: &'a Vector,
        min_similarity: Option<f64>,
        limit: usize,
        may_estimate: bool,
    ) -> VectorQuery<'a> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        VectorQuery { model: self.0.embedder.model(), vector, min_similarity, limit, may_estimate }
    }

    /// BM25 of every memory that passes the filter and has one of the words; how rare a word is, is counted over
    /// everything within reach.
    async fn word_scores(
        &self,
        caller: &Caller,
        search: &Search<'_>,
        query: &str,
        current: Option<&CurrentIndex>,
    ) -> Result<Vec<(Uuid, f64)>, Error> {
        let words = words_of_query(query);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let words: WordQuery = self.0.store.hash_query(caller.user_id, &words).await?;
        let parts = search.reaches.iter().map(|&reach| self.0.store.keyword_hits(reach, search.filter, &words, current));
        let mut all = KeywordHits::default();
        for part in try_join_all(parts).await? {
            all.rows.extend(part.rows);
            all.counts.extend(part.counts);
            all.documents += part.documents;
            all.total_length += part.total_length;
        }
        let counts = all.counts.chunks_exact(words.len());
        let texts: Vec<Occurrences<'_>> =
            all.rows.iter().zip(counts).map(|(row, counts)| Occurrences { counts, length: row.length }).collect();
        let scores = bm25(all.documents, all.total_length, &texts);
        let scored = all.rows.iter().zip(scores).filter(|(row, _)| row.is_wanted);
        Ok(scored.map(|(row, score)| (row.memory_id, score)).collect())
    }

    async fn read_found(&self, reach: Reach, ranking: &Ranking) -> Result<Vec<SearchHit>, Error> {
        let found = &ranking.best;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = found.iter().map(|found| found.id).collect();
        let wanted = ranking.exactly.as_deref().map(|vector| self.vector_query(vector, None, found.len(), false));
        let memories = self.0.store.memories_by_id(reach, &ids, wanted.as_ref()).await?;
        let by_id = |(memory, exact): (Memory, Option<f64>)| (memory.id.0, (memory, exact));
        let mut memories: HashMap<Uuid, (Memory, Option<f64>)> = memories.into_iter().map(by_id).collect();
        let hit = |found: &Found| {
            let (memory, exact) = memories.remove(&found.id)?;
            let similarity = if wanted.is_some() { exact } else { found.similarity };
            Some(SearchHit { memory, score: found.score, similarity })
        };
        Ok(found.iter().filter_map(hit).collect())
    }

    /// A query that is longer than the model's window is looked for by its beginning.
    async fn embed_query(&self, caller: &Caller, query: &str) -> Result<Arc<Vector>, Error> {
        let embedder = &self.0.embedder;
        let windows = embedder.windows(query);
        let first = windows.first().copied().unwrap_or(query);
        let key = QueryKey::new(caller.user_id, embedder.model(), first);
        if let Some(vector) = self.0.query_vectors.find(&key) {
            self.0.tally.add(Counted::QueryVectors, "query", "hit", 1);
            return Ok(vector);
        }
        self.0.tally.add(Counted::QueryVectors, "query", "miss", 1);
        let vectors = embedder.embed(&[first]).await.map_err(|error| Error::unavailable(BY_MEANING, error))?;
        let first = vectors.into_iter().next();
        let vector = Arc::new(first.ok_or_else(|| Error::internal("the embedder answered without a vector"))?);
        self.0.query_vectors.keep(key, vector.clone());
        Ok(vector)
    }
}

/// Keeps so many with the highest scores, the best first.
fn keep_best(scored: &mut Vec<(Uuid, f64)>, count: usize) {
    let by_score = |left: &(Uuid, f64), right: &(Uuid, f64)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
    if count < scored.len() {
        scored.select_nth_unstable_by(count, by_score);
        scored.truncate(count);
    }
    scored.sort_unstable_by(by_score);
}

/// The best of what was found, in falling score; what is too low is not counted either.
fn ranked(mut found: Vec<Found>, search: &Search<'_>) -> Ranking {
    found.retain(|found| search.min_score.is_none_or(|least| found.score >= least));
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    found.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.id.cmp(&right.id)));
    found.truncate(search.limit);
    Ranking { best: found, total, exactly: None }
}
