//! Beginnings of ids and tags, for completions.

use picard_domain::commands::MemoryFilter;
use picard_domain::{Error, MemoryId, Reach};
use uuid::Uuid;

use super::{Query, push_filter, push_reach};
use crate::Store;
use crate::error::storage_error;

impl Store {
    /// Ids of memories within reach from one id to another, both included, in their order.
    ///
    /// # Errors
    /// As every statement.
    pub async fn memory_ids(&self, reach: Reach, from: MemoryId, to: MemoryId, limit: usize) -> Result<Vec<MemoryId>, Error> {
        let mut query = Query::new("SELECT m.id FROM memories m WHERE m.id >= ");
        query.push_bind(from.0).push(" AND m.id <= ").push_bind(to.0).push(" AND ");
        push_reach(&mut query, reach);
        push_filter(&mut query, &MemoryFilter::default());
        query.push(" ORDER BY m.id LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let ids: Vec<Uuid> = query.build_query_scalar().fetch_all(&self.pool).await.map_err(storage_error)?;
        Ok(ids.into_iter().map(MemoryId).collect())
    }

    /// Tags of memories within reach that begin like this, capitals or not; the most frequent first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn tags(&self, reach: Reach, prefix: &str, limit: usize) -> Result<Vec<String>, Error> {
        let mut query = Query::new("SELECT t.tag FROM memories m CROSS JOIN LATERAL unnest(m.tags) AS t (tag) WHERE ");
        push_reach(&mut query, reach);
        push_filter(&mut query, &MemoryFilter::default());
        query.push(" AND starts_with(lower(t.tag), lower(").push_bind(prefix.to_owned());
        query.push(")) GROUP BY t.tag ORDER BY count(*) DESC, t.tag LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        query.build_query_scalar().fetch_all(&self.pool).await.map_err(storage_error)
    }
}
