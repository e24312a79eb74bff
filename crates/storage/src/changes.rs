//! Telling all servers that memories have changed: PostgreSQL's LISTEN and NOTIFY. What is told are ids.

use picard_domain::Error;
use sqlx::postgres::PgListener;

use crate::error::storage_error;
use crate::{Store, mcp_sessions};

const CHANNEL: &str = "picard_changes";

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// What a server has told.
    Told(String),
    /// What a server has told of a client's session.
    OfSession(String),
    /// The connection was lost and is there again: something may have been missed.
    Gap,
}

/// Hears what every server tells, this one included. It keeps a connection for itself.
pub struct ChangeListener {
    listener: PgListener,
}

impl ChangeListener {
    /// Waits for what is told next.
    ///
    /// # Errors
    /// As every statement, while the database is away.
    pub async fn next(&mut self) -> Result<Heard, Error> {
        let heard = self.listener.try_recv().await.map_err(storage_error)?;
        Ok(match heard {
            None => Heard::Gap,
            Some(told) if told.channel() == mcp_sessions::CHANNEL => Heard::OfSession(told.payload().to_owned()),
            Some(told) => Heard::Told(told.payload().to_owned()),
        })
    }
}

impl Store {
    /// Tells every server. Not in the transaction of a write: PostgreSQL lets only one transaction that tells something
    /// commit at a time.
    ///
    /// # Errors
    /// As every statement.
    pub async fn tell_changes(&self, told: &[String]) -> Result<(), Error> {
        sqlx::query!("SELECT pg_notify($1, t.told) FROM unnest($2::text[]) AS t (told)", CHANNEL, told)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(storage_error)
    }

    /// Begins to hear.
    ///
    /// # Errors
    /// As every statement.
    pub async fn hear_changes(&self) -> Result<ChangeListener, Error> {
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(storage_error)?;
        listener.ignore_pool_close_event(true);
        listener.listen_all([CHANNEL, mcp_sessions::CHANNEL]).await.map_err(storage_error)?;
        Ok(ChangeListener { listener })
    }
}
