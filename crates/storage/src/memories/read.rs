//! One memory, and lists of them.

use pgvector::HalfVector;
use picard_domain::commands::MemoryFilter;
use picard_domain::page::{Order, Position, Sort};
use picard_domain::{Error, Memory, MemoryId, Reach, Timestamp, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use super::near::VectorQuery;
use super::{Decryptor, FROM_MEMORIES, MemoryRow, Query, push_columns, push_filter, push_reach, select_memories};
use crate::Store;
use crate::error::storage_error;

/// Which page of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// What the list sorts by.
    pub sort: Sort,
    /// In which direction.
    pub order: Order,
    /// The place after which the page begins.
    pub after: Option<Position>,
    /// How many rows at most.
    pub limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The memories.
    pub memories: Vec<Memory>,
    /// The place after which the next page begins; `None` on the last page.
    pub next: Option<Position>,
}

/// A memory, and how similar it is to what was asked for.
#[derive(FromRow)]
struct ReadRow {
    #[sqlx(flatten)]
    memory: MemoryRow,
    similarity: Option<f64>,
}

fn position(row: &MemoryRow, sort: Sort) -> Position {
    let moment = match sort {
        Sort::CreatedAt => Some(row.created_at),
        Sort::UpdatedAt => Some(row.updated_at),
        Sort::ExpirationDate => row.expiration_date,
    };
    Position { moment: moment.map(Timestamp::from), id: MemoryId(row.id) }
}

impl Store {
    /// Reads one memory; `None` when it is out of reach or does not exist.
    ///
    /// # Errors
    /// As every statement, and [`Error::Internal`] when its text cannot be decrypted.
    pub async fn memory(&self, reach: Reach, id: MemoryId) -> Result<Option<Memory>, Error> {
        let Some(row) = self.memory_row(reach, id).await? else {
            return Ok(None);
        };
        let mut decryptor = Decryptor::new(self);
        let mut memory = decryptor.open(row, reach.reader())?;
        decryptor.add_shares(reach.reader(), [&mut memory]).await?;
        Ok(Some(memory))
    }

    /// An id does not say whose memory it is, so the reader's own are looked at first: those lie together.
    async fn memory_row(&self, reach: Reach, id: MemoryId) -> Result<Option<MemoryRow>, Error> {
        let reader = reach.reader();
        let places = if matches!(reach, Reach::Visible { .. }) { vec![Reach::Own(reader), reach] } else { vec![reach] };
        for reach in places {
            let mut query = select_memories(reach.owner());
            query.push("m.id = ").push_bind(id.0).push(" AND ");
            push_reach(&mut query, reach);
            let row: Option<MemoryRow> = query.build_query_as().fetch_optional(&self.pool).await.map_err(storage_error)?;
            if row.is_some() {
                return Ok(row);
            }
        }
        Ok(None)
    }

    /// Reads these memories, as far as they are within reach and can be decrypted, in any order; each with how similar it
    /// is to what is asked for, if anything is and it has an embedding.
    ///
    /// # Errors
    /// As every statement.
    pub async fn memories_by_id(
        &self,
        reach: Reach,
        ids: &[Uuid],
        wanted: Option<&VectorQuery<'_>>,
    ) -> Result<Vec<(Memory, Option<f64>)>, Error> {
        let mut query = Query::new("SELECT ");
        match wanted {
            None => query.push("NULL::float8"),
            Some(wanted) => {
                query.push("(SELECT 1 - min(e.embedding <=> ").push_bind(HalfVector::from_f32_slice(wanted.vector.as_slice()));
                query.push(") FROM memory_embeddings e WHERE e.user_id = ");
                match reach.owner() {
                    Some(owner) => query.push_bind(owner.0),
                    None => query.push("m.user_id"),
                };
                query.push(" AND e.memory_id = m.id AND e.model = ").push_bind(wanted.model.to_owned()).push(")")
            }
        };
        query.push(" AS similarity, ");
        push_columns(&mut query, reach.owner());
        query.push(FROM_MEMORIES).push("m.id = ANY (").push_bind(ids.to_vec()).push(") AND ");
        push_reach(&mut query, reach);
        let rows: Vec<ReadRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        let mut decryptor = Decryptor::new(self);
        let open = |row: ReadRow| Some((decryptor.open_listed(row.memory, reach.reader())?, row.similarity));
        let mut memories: Vec<(Memory, Option<f64>)> = rows.into_iter().filter_map(open).collect();
        decryptor.add_shares(reach.reader(), memories.iter_mut().map(|(memory, _)| memory)).await?;
        Ok(memories)
    }

    /// The owner of a memory that is within reach.
    ///
    /// # Errors
    /// As every statement.
    pub async fn memory_owner(&self, reach: Reach, id: MemoryId) -> Result<Option<UserId>, Error> {
        let mut query = Query::new("SELECT m.user_id FROM memories m WHERE m.id = ");
        query.push_bind(id.0).push(" AND ");
        push_reach(&mut query, reach);
        let owner = query.build_query_scalar().fetch_optional(&self.pool).await.map_err(storage_error)?;
        Ok(owner.map(UserId))
    }

    /// Reads one page of a list; a row that cannot be decrypted is left out and does not end the list (ENC-04).
    ///
    /// # Errors
    /// As every statement.
    pub async fn memories(&self, reach: Reach, filter: &MemoryFilter, page: PageRequest) -> Result<Page, Error> {
        let mut query = select_memories(filter.user_id.or(reach.owner()));
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        push_page(&mut query, page);
        let mut rows: Vec<MemoryRow> = query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)?;
        let has_more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next = rows.last().filter(|_| has_more).map(|row| position(row, page.sort));
        let mut decryptor = Decryptor::new(self);
        let mut memories: Vec<Memory> = rows.into_iter().filter_map(|row| decryptor.open_listed(row, reach.reader())).collect();
        decryptor.add_shares(reach.reader(), &mut memories).await?;
        Ok(Page { memories, next })
    }

    /// Counts a list.
    ///
    /// # Errors
    /// As every statement.
    pub async fn count_memories(&self, reach: Reach, filter: &MemoryFilter) -> Result<i64, Error> {
        let mut query = Query::new("SELECT count(*) FROM memories m WHERE ");
        push_reach(&mut query, reach);
        push_filter(&mut query, filter);
        query.build_query_scalar().fetch_one(&self.pool).await.map_err(storage_error)
    }
}

/// Appends keyset paging: the rows after a place, in an order in which no two rows are equal.
fn push_page(query: &mut Query, page: PageRequest) {
    // Memories that never expire come last in either direction.
    let never = if page.order == Order::Asc { "infinity" } else { "-infinity" };
    let key = match page.sort {
        Sort::CreatedAt => "m.created_at".to_owned(),
        Sort::UpdatedAt => "m.updated_at".to_owned(),
        Sort::ExpirationDate => format!("coalesce(m.expiration_date, '{never}')"),
    };
    let (comparison, direction) = if page.order == Order::Asc { (">", "ASC") } else { ("<", "DESC") };
    if let Some(position) = page.after {
        query.push(format_args!(" AND ({key}, m.id) {comparison} ("));
        match position.moment {
            Some(moment) => query.push_bind(moment.as_offset_date_time()),
            None => query.push(format_args!("'{never}'::timestamptz")),
        };
        query.push(", ").push_bind(position.id.0).push(")");
    }
    query.push(format_args!(" ORDER BY {key} {direction}, m.id {direction} LIMIT "));
    query.push_bind(i64::from(page.limit) + 1);
}
