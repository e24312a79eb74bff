//! Memories: how a row becomes a memory, and the one place that decides which rows a read may touch.

mod aggregate;
mod change;
mod complete;
mod create;
mod history;
mod keyword;
mod near;
mod read;
mod shares;
mod words;

pub use aggregate::Figures;
pub use change::MemoryChange;
pub use create::{NewMemory, Writer};
pub use history::FormerMemory;
pub use keyword::{KeywordHits, KeywordRow, WordQuery};
pub use near::{Near, NearRow, VectorQuery};
pub use read::{Page, PageRequest};

use std::collections::HashMap;
use std::sync::Arc;

use picard_crypto::{DataKey, TextBinding, open_text};
use picard_domain::commands::MemoryFilter;
use picard_domain::memory::{Category, EmbeddingStatus, SharedWith};
use picard_domain::page::ExpirationStatus;
use picard_domain::{Error, Memory, MemoryId, Permission, Reach, Timestamp, UserId};
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::Store;

type Query = QueryBuilder<Postgres>;

/// What every statement selects that gives memories back; `m` is the memory, `u` its owner, and `OWNER` their id.
const COLUMNS: &str = "m.id, m.user_id, m.ciphertext, m.permission, m.tags, m.category, m.expiration_date, \
    coalesce(m.expiration_date <= now(), false) AS is_expired, m.version, m.text_version, m.created_at, m.updated_at, u.data_key, \
    (SELECT CASE WHEN bool_and(j.failed_at IS NOT NULL) THEN 'failed' ELSE 'pending' END FROM embedding_jobs j WHERE j.user_id = OWNER AND j.memory_id = m.id HAVING count(*) > 0) \
    AS embedding_status, \
    (EXISTS (SELECT FROM memory_shared_users s WHERE s.user_id = OWNER AND s.memory_id = m.id) \
     OR EXISTS (SELECT FROM memory_shared_groups s WHERE s.user_id = OWNER AND s.memory_id = m.id)) AS has_shares";

/// Where they come from.
const FROM_MEMORIES: &str = " FROM memories m JOIN users u ON u.id = m.user_id WHERE ";

#[derive(FromRow)]
struct MemoryRow {
    id: Uuid,
    user_id: Uuid,
    ciphertext: String,
    permission: String,
    tags: Vec<String>,
    category: Option<String>,
    expiration_date: Option<time::OffsetDateTime>,
    is_expired: bool,
    version: i64,
    text_version: i64,
    created_at: time::OffsetDateTime,
    updated_at: time::OffsetDateTime,
    data_key: String,
    /// NULL: there is no job, so the embedding is there.
    embedding_status: Option<String>,
    /// Whether there are lists to be read, which is rare.
    has_shares: bool,
}

/// Appends what is selected of memories. With the owner named everywhere one node answers alone (docs/scaling.md).
fn push_columns(query: &mut Query, owner: Option<UserId>) {
    for (place, part) in COLUMNS.split("OWNER").enumerate() {
        match owner {
            _ if place == 0 => {}
            Some(owner) => {
                query.push_bind(owner.0);
            }
            None => {
                query.push("m.user_id");
            }
        }
        query.push(part);
    }
}

/// Begins a statement that gives memories back, of one owner or of everybody.
fn select_memories(owner: Option<UserId>) -> Query {
    let mut query = Query::new("SELECT ");
    push_columns(&mut query, owner);
    query.push(FROM_MEMORIES);
    query
}

/// What is bound into the ciphertext of a memory's text, so that a swapped row is noticed (ENC-05).
fn binding(id: Uuid, owner: Uuid, text_version: i64) -> TextBinding {
    TextBinding { memory_id: *id.as_bytes(), owner_id: *owner.as_bytes(), version: text_version }
}

/// Decrypts rows; a page of memories mostly has one owner, whose key is opened once.
struct Decryptor<'a> {
    store: &'a Store,
    keys: HashMap<Uuid, Arc<DataKey>>,
    /// The reader's own memories that are, or were, shared with somebody.
    shared: Vec<Uuid>,
}

impl<'a> Decryptor<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, keys: HashMap::new(), shared: Vec::new() }
    }

    fn open(&mut self, row: MemoryRow, reader: UserId) -> Result<Memory, Error> {
        let key = match self.keys.get(&row.user_id) {
            Some(key) => Arc::clone(key),
            None => {
                let key = self.store.open_data_key(row.user_id, &row.data_key)?;
                self.keys.insert(row.user_id, Arc::clone(&key));
                key
            }
        };
        let text = open_text(&key, &binding(row.id, row.user_id, row.text_version), &row.ciphertext).map_err(Error::internal)?;
        if row.has_shares && row.user_id == reader.0 {
            self.shared.push(row.id);
        }
        Ok(memory(row, text, reader))
    }

    /// Opens a row of a list. One that cannot be read is logged and left out, so that the others still come (ENC-04).
    fn open_listed(&mut self, row: MemoryRow, reader: UserId) -> Option<Memory> {
        let id = row.id;
        self.open(row, reader)
            .inspect_err(|error| {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(event = "decryption_failed", memory.id = %id, cause, "A memory cannot be decrypted and was left out of a list.");
            })
            .ok()
    }

    /// Fills in with whom the reader's own memories among those that were opened are shared; others are not told.
    async fn add_shares<'m>(self, reader: UserId, memories: impl IntoIterator<Item = &'m mut Memory>) -> Result<(), Error> {
        if self.shared.is_empty() {
            return Ok(());
        }
        let mut lists = shares::shares_of(&self.store.pool, reader, &self.shared).await?;
        for memory in memories {
            if let Some(list) = lists.remove(&memory.id) {
                memory.shared_with = Some(list);
            }
        }
        Ok(())
    }
}

fn memory(row: MemoryRow, text: String, reader: UserId) -> Memory {
    Memory {
        id: MemoryId(row.id),
        user_id: UserId(row.user_id),
        text,
        permission: Permission::from_word(&row.permission).unwrap_or_default(),
        tags: row.tags,
        category: row.category,
        // The lists are filled in for a page at once.
        shared_with: (row.user_id == reader.0).then(SharedWith::default),
        expiration_date: row.expiration_date.map(Timestamp::from),
        is_expired: row.is_expired,
        version: row.version,
        embedding_status: row.embedding_status.map_or(EmbeddingStatus::Ready, |word| EmbeddingStatus::from_word(&word)),
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
    }
}

/// The one place where a reach becomes SQL: rows of `m` that the reader may not see do not exist for the statement.
/// [`Reach::contains`] is the same rule in Rust.
fn push_reach(query: &mut Query, reach: Reach) {
    const ACTIVE: &str = "(m.expiration_date IS NULL OR m.expiration_date > now())";
    match reach {
        Reach::Own(reader) => {
            query.push("m.user_id = ").push_bind(reader.0);
        }
        Reach::Shared { reader } => {
            query.push("(m.user_id <> ").push_bind(reader.0).push(" AND ");
            push_shared(query, reader, None);
            query.push(")");
        }
        // One's own public memories are found here too, expired ones if the filter asks for them.
        Reach::Public { reader } => {
            query.push(format_args!("(m.permission = 'public' AND ({ACTIVE} OR m.user_id = "));
            query.push_bind(reader.0).push("))");
        }
        Reach::PublicOfOthers { reader } => {
            query.push(format_args!("(m.permission = 'public' AND {ACTIVE} AND m.user_id <> "));
            query.push_bind(reader.0).push(")");
        }
        Reach::VisibleOf { reader, owner } if reader == owner => {
            query.push("m.user_id = ").push_bind(owner.0);
        }
        Reach::VisibleOf { reader, owner } => {
            query.push("m.user_id = ").push_bind(owner.0);
            query.push(format_args!(" AND ((m.permission = 'public' AND {ACTIVE}) OR "));
            push_shared(query, reader, Some(owner));
            query.push(")");
        }
        Reach::Visible { reader } => {
            query.push("(m.user_id = ").push_bind(reader.0);
            query.push(format_args!(" OR (m.permission = 'public' AND {ACTIVE}) OR "));
            push_shared(query, reader, None);
            query.push(")");
        }
    }
}

/// What is shared with the reader by name, or with a group that they own or are in; of one owner or of everybody.
fn push_shared(query: &mut Query, reader: UserId, owner: Option<UserId>) {
    const BY: [&str; 3] = [
        "memory_shared_users s WHERE s.person_id = ",
        "memory_shared_groups s JOIN group_members g ON g.group_id = s.group_id WHERE g.user_id = ",
        "memory_shared_groups s JOIN groups g ON g.id = s.group_id WHERE g.user_id = ",
    ];
    query
        .push("(m.permission = 'shared' AND (m.expiration_date IS NULL OR m.expiration_date > now()) AND (m.user_id, m.id) IN (");
    for (place, by) in BY.into_iter().enumerate() {
        query.push(if place == 0 { "" } else { " UNION ALL " }).push("SELECT s.user_id, s.memory_id FROM ").push(by);
        query.push_bind(reader.0);
        if let Some(owner) = owner {
            query.push(" AND s.user_id = ").push_bind(owner.0);
        }
    }
    query.push("))");
}

/// Narrows what is within reach by what was asked for.
fn push_filter(query: &mut Query, filter: &MemoryFilter) {
    if let Some(owner) = filter.user_id {
        query.push(" AND m.user_id = ").push_bind(owner.0);
    }
    if let Some(permission) = filter.permission {
        query.push(" AND m.permission = ").push_bind(permission.as_str());
    }
    match filter.expiration_status {
        ExpirationStatus::Active => {
            query.push(" AND (m.expiration_date IS NULL OR m.expiration_date > now())");
        }
        ExpirationStatus::Expired => {
            query.push(" AND m.expiration_date <= now()");
        }
        ExpirationStatus::All => {}
    }
    if !filter.tags.is_empty() {
        query.push(" AND m.tags @> ").push_bind(filter.tags.to_words());
    }
    if let Some(category) = &filter.category {
        query.push(" AND m.category = ").push_bind(Category::as_str(category).to_owned());
    }
    if let Some(moment) = filter.created_after {
        query.push(" AND m.created_at >= ").push_bind(moment.as_offset_date_time());
    }
    if let Some(moment) = filter.created_before {
        query.push(" AND m.created_at < ").push_bind(moment.as_offset_date_time());
    }
}
