//! Search by meaning: cosine similarity of embeddings, exact wherever a person's own or shared memories are searched.

use std::collections::HashSet;

use futures_util::future::try_join;
use pgvector::HalfVector;
use picard_domain::commands::MemoryFilter;
use picard_domain::page::ExpirationStatus;
use picard_domain::{Error, Permission, Reach, UserId, Vector};
use picard_index::Neighbour;
use sqlx::{Executor, FromRow};
use uuid::Uuid;

use super::{Query, push_filter, push_reach};
use crate::Store;
use crate::error::storage_error;
use crate::public_index::PublicIndex;
use crate::search_index::CurrentIndex;

/// Vectors that are longer than this have their signs beside them, which are compared first.
const LONG_VECTOR: usize = 512;
/// So many more windows than are wanted are chosen by their signs and then compared exactly.
const CANDIDATES_PER_WINDOW: i64 = 10;
/// Whoever wants more gets everything compared.
const MOST_BY_SIGNS: u32 = 1_000;
/// So many more candidates from memory are compared in the database than are wanted, and a quarter.
const SPARE: usize = 16;
/// So many candidates by signs for each memory that is wanted, and so many at least.
const SIGNS_PER_MEMORY: usize = 10;
const LEAST_BY_SIGNS: usize = 400;
/// With fewer public memories than this, comparing all of them is quick.
const FEW: i64 = 2_000;
/// The graph's walk loses neighbours when a filter leaves few of those it meets, so with one this many are compared.
const FEW_WITH_FILTER: i64 = 200_000;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct VectorQuery<'a> {
    /// The model that made the vector; only its vectors are compared.
    pub model: &'a str,
    /// The direction to look in.
    pub vector: &'a Vector,
    /// Leave out what is less similar (cosine).
    pub min_similarity: Option<f64>,
    /// How many rows at most.
    pub limit: u32,
    /// Whether similarities may be right to three decimal places only, where that is quicker.
    pub may_estimate: bool,
}

/// A memory and how similar it is.
#[derive(Debug, Clone, Copy, PartialEq, FromRow)]
pub struct NearRow {
    /// The memory.
    pub memory_id: Uuid,
    /// Cosine similarity of its nearest window.
    pub similarity: f64,
}

/// What is near.
#[derive(Debug, Clone, Default)]
pub struct Near {
    /// The nearest first.
    pub rows: Vec<NearRow>,
    /// How many there are without the limit.
    pub total: i64,
    /// Whether the similarities are right to three decimal places only.
    pub is_estimated: bool,
}

/// A memory that was found, and how many windows were looked at to find it and the others.
#[derive(FromRow)]
struct WindowedRow {
    #[sqlx(flatten)]
    near: NearRow,
    windows: i64,
    is_wanted: bool,
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    near: NearRow,
    total: i64,
}

impl Store {
    /// What is held in memory of what is searched, true now; nothing when it has to be read from the database.
    ///
    /// # Errors
    /// As every statement.
    pub async fn current(&self, reaches: &[Reach], filter: &MemoryFilter) -> Result<Option<CurrentIndex>, Error> {
        match reaches.iter().find_map(|&reach| own_reach(reach, filter)) {
            Some(owner) => self.current_index(owner, filter.expiration_status == ExpirationStatus::All).await,
            None => Ok(None),
        }
    }

    /// Finds the memories whose nearest window is nearest; `current` is what [`Store::current`] says of this search.
    ///
    /// One person's rows are read by the index on the owner and compared one by one, long vectors first by their signs:
    /// at this size that is faster than a graph index, and never misses one. Public memories, when there are many, are
    /// found by a graph index that holds nothing but them.
    ///
    /// # Errors
    /// As every statement.
    pub async fn near(
        &self,
        reach: Reach,
        filter: &MemoryFilter,
        wanted: &VectorQuery<'_>,
        current: Option<&CurrentIndex>,
    ) -> Result<Near, Error> {
        if matches!(reach, Reach::Public { .. } | Reach::PublicOfOthers { .. })
            && wanted.min_similarity.is_none()
            && let Some(index) = PublicIndex::new(wanted.model, wanted.vector.as_slice().len())
            && self.has_more(reach, filter, if narrows(filter) { FEW_WITH_FILTER } else { FEW }).await?
        {
            let rows = self.near_by_index(reach, filter, wanted, &index).await?;
            // A filter that leaves very little makes the walk through the graph give up; then all are compared.
            if rows.len() == wanted.limit as usize {
                return Ok(Near { rows, total: self.count_memories(reach, filter).await?, is_estimated: false });
            }
        }
        if wanted.min_similarity.is_some() {
            let rows: Vec<FoundRow> =
                one_by_one(reach, filter, wanted).build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
            let total = rows.first().map_or(0, |row| row.total);
            return Ok(Near { rows: rows.into_iter().map(|row| row.near).collect(), total, is_estimated: false });
        }
        let own = own_reach(reach, filter);
        if let Some(current) = current.filter(|current| own == Some(current.held.owner))
            && let Some(near) = self.near_in_memory(current, reach, filter, wanted).await?
        {
            return Ok(near);
        }
        // Counting inside the search would carry every vector through a sort.
        let (rows, total) =
            try_join(self.nearest(reach, filter, wanted), self.count_embedded(reach, filter, wanted.model)).await?;
        if let Some(owner) = own {
            self.hold_later(owner, wanted.model, wanted.vector.as_slice().len(), total);
        }
        Ok(Near { rows, total, is_estimated: false })
    }

    /// Finds candidates in memory and compares them in the database; `None` when too few of them are there.
    async fn near_in_memory(
        &self,
        current: &CurrentIndex,
        reach: Reach,
        filter: &MemoryFilter,
        wanted: &VectorQuery<'_>,
    ) -> Result<Option<Near>, Error> {
        if current.held.model != wanted.model || wanted.limit > MOST_BY_SIGNS {
            return Ok(None);
        }
        let limit = wanted.limit as usize;
        let spare = if wanted.may_estimate { limit } else { limit + limit / 4 + SPARE };
        let by_signs = (limit * SIGNS_PER_MEMORY).max(LEAST_BY_SIGNS);
        let candidates = current.nearest(wanted.vector.as_slice(), (spare, by_signs)).await;
        let total = i64::try_from(candidates.total).unwrap_or(i64::MAX);
        if wanted.may_estimate && !candidates.is_by_signs {
            let row = |near: &Neighbour| NearRow { memory_id: near.id, similarity: f64::from(near.similarity) };
            let rows = candidates.nearest.iter().map(row).collect();
            return Ok(Some(Near { rows, total, is_estimated: true }));
        }
        let ids: Vec<Uuid> = candidates.nearest.iter().map(|near| near.id).collect();
        let mut query = Query::new("SELECT e.memory_id, 1 - min(e.embedding <=> ");
        query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
        query.push(") AS similarity FROM memory_embeddings e JOIN memories m ON m.user_id = e.user_id AND m.id = e.memory_id WHERE e.memory_id = ANY (");
        query.push_bind(ids).push(") AND e.model = ").push_bind(wanted.model.to_owned()).push(" AND ");
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        query.push(" GROUP BY e.memory_id ORDER BY 2 DESC, 1 LIMIT ").push_bind(i64::from(wanted.limit));
        let rows: Vec<NearRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        let is_enough = rows.len() >= limit.min(candidates.total);
        Ok(is_enough.then_some(Near { rows, total, is_estimated: false }))
    }

    /// The nearest memories by their nearest windows. A long text has several windows, so there may be fewer memories than
    /// windows were asked for: then more are.
    async fn nearest(&self, reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>) -> Result<Vec<NearRow>, Error> {
        let is_long = wanted.vector.as_slice().len() > LONG_VECTOR && wanted.limit <= MOST_BY_SIGNS;
        let mut windows = i64::from(wanted.limit) * 2;
        loop {
            let mut query =
                if is_long { by_signs(reach, filter, wanted, windows) } else { by_vectors(reach, filter, wanted, windows) };
            let rows: Vec<WindowedRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
            let is_all = rows.first().is_none_or(|row| row.windows < windows);
            let limit = wanted.limit as usize;
            let near: Vec<NearRow> = rows.into_iter().filter(|row| row.is_wanted).map(|row| row.near).take(limit).collect();
            if is_all || near.len() == limit {
                return Ok(near);
            }
            windows *= 8;
        }
    }

    /// How many memories within reach have an embedding, as far as that is known: a memory without a job has one.
    async fn count_embedded(&self, reach: Reach, filter: &MemoryFilter, model: &str) -> Result<i64, Error> {
        let mut query = Query::new("SELECT (SELECT count(*) FROM memories m WHERE ");
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        // Beginning with the jobs, of which there are few as a rule.
        query.push(
            ") - (SELECT count(DISTINCT m.id) FROM embedding_jobs j JOIN memories m ON m.user_id = j.user_id AND m.id = j.memory_id WHERE j.model IN ('', ",
        );
        query.push_bind(model.to_owned()).push(") AND ");
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        query.push(")");
        query.build_query_scalar().fetch_one(&self.pool).await.map_err(storage_error)
    }

    async fn has_more(&self, reach: Reach, filter: &MemoryFilter, than: i64) -> Result<bool, Error> {
        let mut query = Query::new("SELECT count(*) FROM (SELECT m.id FROM memories m WHERE ");
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        query.push(" LIMIT ").push_bind(than).push(") AS counted");
        let count: i64 = query.build_query_scalar().fetch_one(&self.pool).await.map_err(storage_error)?;
        Ok(count == than)
    }

    async fn near_by_index(
        &self,
        reach: Reach,
        filter: &MemoryFilter,
        wanted: &VectorQuery<'_>,
        index: &PublicIndex,
    ) -> Result<Vec<NearRow>, Error> {
        let mut query = Query::new(format!(
            "SELECT memory_id, 1 - min(distance) AS similarity FROM (
                 SELECT e.memory_id, {column} <=> ",
            column = index.column("e")
        ));
        query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
        query.push(format_args!(
            " AS distance FROM memory_embeddings e JOIN memories m ON m.user_id = e.user_id AND m.id = e.memory_id WHERE {condition} AND ",
            condition = index.condition("e")
        ));
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        query.push(" ORDER BY distance LIMIT ");
        // A long text has several windows, of which one counts.
        query.push_bind(i64::from(wanted.limit) * 2).push(") AS near GROUP BY memory_id ORDER BY 2 DESC, 1 LIMIT ");
        query.push_bind(i64::from(wanted.limit));
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        // Go on until enough rows have passed the filter; sort what comes in nearly the right order.
        // Citus hands on what SET sets, not what `set_config` does.
        let settings = "SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.ef_search = 200; \
                        SET LOCAL hnsw.max_scan_tuples = 100000; SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off";
        transaction.execute(settings).await.map_err(storage_error)?;
        let rows = query.build_query_as().fetch_all(&mut *transaction).await.map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(rows)
    }

    /// How similar these memories are, which the reader has found within reach, as far as they have embeddings; `owner`:
    /// whose they all are, if it is one person's.
    ///
    /// # Errors
    /// As every statement.
    pub async fn similarities(
        &self,
        reader: UserId,
        owner: Option<UserId>,
        ids: &[Uuid],
        wanted: &VectorQuery<'_>,
    ) -> Result<Vec<NearRow>, Error> {
        let held = self.indexes.of_person(reader).filter(|_| wanted.may_estimate);
        let estimates = held.map(|held| held.similarities(wanted.model, wanted.vector.as_slice(), ids)).unwrap_or_default();
        let mut rows: Vec<NearRow> =
            estimates.iter().map(|near| NearRow { memory_id: near.id, similarity: f64::from(near.similarity) }).collect();
        let known: HashSet<Uuid> = rows.iter().map(|row| row.memory_id).collect();
        let ids: Vec<Uuid> = ids.iter().copied().filter(|id| !known.contains(id)).collect();
        if ids.is_empty() {
            return Ok(rows);
        }
        let mut query = Query::new("SELECT memory_id, 1 - min(embedding <=> ");
        query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
        query.push(") AS similarity FROM memory_embeddings WHERE memory_id = ANY (").push_bind(ids);
        query.push(") AND model = ").push_bind(wanted.model.to_owned());
        if let Some(owner) = owner {
            query.push(" AND user_id = ").push_bind(owner.0);
        }
        query.push(" GROUP BY memory_id");
        let others: Vec<NearRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        rows.extend(others);
        Ok(rows)
    }
}

/// Whether a filter leaves public memories out that have not expired.
fn narrows(filter: &MemoryFilter) -> bool {
    filter.user_id.is_some()
        || !filter.tags.is_empty()
        || filter.category.is_some()
        || filter.created_after.is_some()
        || filter.created_before.is_some()
        || filter.permission.is_some_and(|permission| permission != Permission::Public)
        || filter.expiration_status == ExpirationStatus::Expired
}

fn push_owner(query: &mut Query, reach: Reach) {
    if let Some(owner) = reach.owner() {
        query.push(" AND e.user_id = ").push_bind(owner.0);
    }
}

/// Compares every row. `min` over the windows keeps any index on the vectors from being chosen.
fn one_by_one(reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>) -> Query {
    let mut query = Query::new(
        "SELECT memory_id, 1 - distance AS similarity, count(*) OVER () AS total FROM (SELECT e.memory_id, min(e.embedding <=> ",
    );
    query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
    query.push(") AS distance FROM memory_embeddings e JOIN memories m ON m.user_id = e.user_id AND m.id = e.memory_id");
    query.push(" WHERE e.model = ").push_bind(wanted.model.to_owned());
    push_owner(&mut query, reach);
    query.push(" AND ");
    push_reach(&mut query, reach);
    push_filter(&mut query, filter);
    query.push(" GROUP BY e.memory_id) AS near");
    if let Some(similarity) = wanted.min_similarity {
        query.push(" WHERE distance <= ").push_bind(1.0 - similarity);
    }
    query.push(" ORDER BY distance, memory_id LIMIT ").push_bind(i64::from(wanted.limit));
    query
}

/// Whether the memories themselves are looked at only after the nearest were chosen: nearly all of one's own that have
/// not expired are wanted, and looking at each would take longer than comparing it.
fn looks_late(reach: Reach, filter: &MemoryFilter) -> bool {
    let is_everything = filter.permission.is_none() && !narrows(filter);
    matches!(reach, Reach::Own(_)) && is_everything
}

/// Whose memories are searched, if it is all of one's own.
pub(super) fn own_reach(reach: Reach, filter: &MemoryFilter) -> Option<UserId> {
    match reach {
        Reach::Own(owner) if looks_late(reach, filter) => Some(owner),
        _ => None,
    }
}

/// Appends where windows come from, as far as they are within reach and pass the filter.
fn push_windows(query: &mut Query, reach: Reach, filter: &MemoryFilter, model: &str) {
    query.push(" FROM memory_embeddings e");
    if looks_late(reach, filter) {
        query.push(" WHERE e.model = ").push_bind(model.to_owned());
        push_owner(query, reach);
        return;
    }
    query.push(" JOIN memories m ON m.user_id = e.user_id AND m.id = e.memory_id WHERE e.model = ").push_bind(model.to_owned());
    push_owner(query, reach);
    query.push(" AND ");
    push_reach(query, reach);
    push_filter(query, filter);
}

/// Appends the choice of memories from the windows in `near`.
fn push_choice(query: &mut Query, reach: Reach, filter: &MemoryFilter) {
    query.push(" SELECT n.memory_id, 1 - min(n.distance) AS similarity, sum(count(*)) OVER ()::bigint AS windows, ");
    if looks_late(reach, filter) {
        query.push("bool_and(m.id IS NOT NULL) AS is_wanted FROM near n LEFT JOIN memories m ON m.id = n.memory_id AND ");
        push_reach(query, reach);
        push_filter(query, filter);
    } else {
        query.push("true AS is_wanted FROM near n");
    }
    query.push(" GROUP BY n.memory_id ORDER BY 2 DESC, 1");
}

/// Compares every row and keeps the nearest windows. The `+ 0` keeps any index on the vectors from being chosen.
fn by_vectors(reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>, windows: i64) -> Query {
    let mut query = Query::new("WITH near AS MATERIALIZED (SELECT e.memory_id, (e.embedding <=> ");
    query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice())).push(") + 0 AS distance");
    push_windows(&mut query, reach, filter, wanted.model);
    query.push(" ORDER BY distance LIMIT ").push_bind(windows).push(")");
    push_choice(&mut query, reach, filter);
    query
}

/// Compares the signs of every row, and exactly those whose signs agree best.
fn by_signs(reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>, windows: i64) -> Query {
    let vector = HalfVector::from_f32_slice(wanted.vector.as_slice());
    let mut query = Query::new("WITH near AS MATERIALIZED (SELECT c.memory_id, f.embedding <=> ");
    query.push_bind(vector.clone()).push(" AS distance FROM (SELECT e.user_id, e.memory_id, e.position");
    push_windows(&mut query, reach, filter, wanted.model);
    query.push(" ORDER BY e.bits <~> binary_quantize(").push_bind(vector).push("::halfvec) LIMIT ");
    query.push_bind(windows.max(10) * CANDIDATES_PER_WINDOW);
    query.push(") AS c JOIN memory_embeddings f ON f.user_id = c.user_id AND f.memory_id = c.memory_id AND f.position = c.position AND f.model = ");
    query.push_bind(wanted.model.to_owned()).push(")");
    push_choice(&mut query, reach, filter);
    query
}
