//! Search by meaning: exact cosine distance over everything within reach.

use pgvector::HalfVector;
use picard_domain::commands::MemoryFilter;
use picard_domain::{Error, Memory, Reach, Vector};
use sqlx::FromRow;

use super::{COLUMNS, Decryptor, MemoryRow, Query, push_filter, push_reach};
use crate::Store;
use crate::error::storage_error;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct VectorQuery<'a> {
    /// The model that made the vector; only its vectors are compared.
    pub model: &'a str,
    /// The direction to look in.
    pub vector: &'a Vector,
    /// Leave out what is less similar (cosine).
    pub min_similarity: Option<f64>,
    /// How many rows at most.
    pub limit: u32,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Memories with their cosine similarity, nearest first.
    pub memories: Vec<(Memory, f64)>,
    /// How many there are without the limit.
    pub total: i64,
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    memory: MemoryRow,
    distance: f64,
    total: i64,
}

impl Store {
    /// Finds the memories whose nearest window is nearest.
    ///
    /// The owner's rows are read by the index on the owner and compared one by one: for one person's memories
    /// that is faster than a graph index and never misses one. `min` over the windows keeps any index on the
    /// vectors from being chosen.
    ///
    /// # Errors
    /// As every statement.
    pub async fn search(&self, reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>) -> Result<Found, Error> {
        let mut query = search_statement(reach, filter, wanted);
        let rows: Vec<FoundRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        let total = rows.first().map_or(0, |row| row.total);
        let mut decryptor = Decryptor::new(self);
        let open = |row: FoundRow| {
            let memory = decryptor.open_listed(row.memory, reach.reader())?;
            Some((memory, 1.0 - row.distance))
        };
        Ok(Found { memories: rows.into_iter().filter_map(open).collect(), total })
    }
}

fn search_statement(reach: Reach, filter: &MemoryFilter, wanted: &VectorQuery<'_>) -> Query {
    let mut query = Query::new(format!(
        "SELECT {COLUMNS}, found.distance, found.total FROM (
             SELECT memory_id, distance, count(*) OVER () AS total FROM (
                 SELECT e.memory_id, min(e.embedding <=> "
    ));
    query.push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
    query.push(") AS distance FROM memory_embeddings e JOIN memories m ON m.id = e.memory_id WHERE e.model = ");
    query.push_bind(wanted.model.to_owned());
    if let Reach::Own(owner) | Reach::VisibleOf { owner, .. } = reach {
        query.push(" AND e.user_id = ").push_bind(owner.0);
    }
    query.push(" AND ");
    push_reach(&mut query, reach);
    push_filter(&mut query, filter);
    query.push(" GROUP BY e.memory_id) AS near");
    if let Some(similarity) = wanted.min_similarity {
        query.push(" WHERE distance <= ").push_bind(1.0 - similarity);
    }
    query.push(" ORDER BY distance, memory_id LIMIT ").push_bind(i64::from(wanted.limit));
    query.push(
        ") AS found JOIN memories m ON m.id = found.memory_id JOIN users u ON u.id = m.user_id ORDER BY found.distance, m.id",
    );
    query
}
