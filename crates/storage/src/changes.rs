//! Telling all servers that memories have changed: PostgreSQL's LISTEN and NOTIFY. What is told are ids.

use std::time::Duration;

use picard_domain::Error;
use sqlx::postgres::PgListener;

use crate::error::storage_error;
use crate::{Store, mcp_sessions};

/// After so much silence the connection is asked whether it is alive, and has so long to answer.
const SILENCE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);
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
        let heard = loop {
            match tokio::time::timeout(SILENCE, self.listener.try_recv()).await {
                Ok(heard) => break heard.map_err(storage_error)?,
                Err(_) => self.ask_for_a_sign_of_life().await?,
            }
        };
        Ok(match heard {
            None => Heard::Gap,
            Some(told) if told.channel() == mcp_sessions::CHANNEL => Heard::OfSession(told.payload().to_owned()),
            Some(told) => Heard::Told(told.payload().to_owned()),
        })
    }

    /// A connection that only listens does not notice that the other end has gone (FLT-06).
    async fn ask_for_a_sign_of_life(&mut self) -> Result<(), Error> {
        let sign = sqlx::query_scalar!("SELECT 1").fetch_one(&mut self.listener);
        match tokio::time::timeout(PATIENCE, sign).await {
            Ok(sign) => sign.map(|_| ()).map_err(storage_error),
            Err(elapsed) => Err(Error::unavailable("The database", elapsed)),
        }
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
        let mut listener = PgListener::connect_with(self.pool.pool()).await.map_err(storage_error)?;
        listener.ignore_pool_close_event(true);
        listener.listen_all([CHANNEL, mcp_sessions::CHANNEL]).await.map_err(storage_error)?;
        Ok(ChangeListener { listener })
    }
}
