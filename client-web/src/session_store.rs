//! The store behind tower-sessions: PostgreSQL, under the hash of the session's id.

use async_trait::async_trait;
use picard_crypto::hash_token;
use sqlx::PgPool;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use uuid::Uuid;

use crate::db::sessions::{self, SessionRow};
use crate::visitor::PERSON_KEY;

/// Keeps sessions in PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

fn hash(id: &Id) -> [u8; 32] {
    hash_token(&id.to_string())
}

fn person_of(record: &Record) -> Option<Uuid> {
    record.data.get(PERSON_KEY)?.as_str()?.parse().ok()
}

fn row_of(record: &Record) -> Result<SessionRow> {
    let data = serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    Ok(SessionRow { data, expires_at: record.expiry_date })
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (person_id, row) = (person_of(record), row_of(record)?);
        while !sessions::insert(&self.pool, &hash(&record.id), person_id, &row).await.map_err(backend)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (person_id, row) = (person_of(record), row_of(record)?);
        sessions::update(&self.pool, &hash(&record.id), person_id, &row).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(row) = sessions::find(&self.pool, &hash(id)).await.map_err(backend)? else {
            return Ok(None);
        };
        let data = serde_json::from_value(row.data).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date: row.expires_at }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sessions::delete(&self.pool, &hash(id)).await.map_err(backend)
    }
}
