//! Taking memories in: a stream is read once, checked row by row and put into a queue; from there the memories are
//! stored, each exactly once, whatever stops in between.

mod foreign;
mod items;
mod reader;
mod row;
mod worker;

use std::io::Read;

use futures_util::future::BoxFuture;
use picard_crypto::StreamHash;
use picard_domain::commands::OnError;
use picard_domain::{Caller, Error, Scope};
use picard_storage::imports::{ImportError, NewImport, ReadImport};
use serde_json::json;
use tokio::sync::mpsc;

pub use picard_storage::imports::{Import, ImportId};
pub use reader::ImportFormat;
pub use row::ImportMemory;
pub use worker::ImportWorker;

pub(crate) use reader::is_formula;

use crate::App;
use crate::patience::{LONGEST_BATCH, within};
use crate::tools::once_of;

/// How many rows are put into the queue at once.
const BATCH: usize = 500;
/// How many rows wait between reading and queueing.
const WAITING: usize = 1_000;
/// The most errors that are kept of one import; all are counted.
pub(crate) const MOST_ERRORS: usize = 1_000;

impl App {
    /// Takes a stream in and gives back the import that stores it. With `on_error: stop` a single wrong row means that
    /// nothing is stored. With a key, the same stream sent again gives the same import back.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`] when the stream breaks: then nothing
    /// is stored; [`Error::IdempotencyMismatch`].
    pub fn receive_import<'a>(
        &'a self,
        caller: &'a Caller,
        format: ImportFormat,
        on_error: OnError,
        source: Box<dyn Read + Send>,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ImportId, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let new = NewImport {
                id: ImportId::generate(),
                user_id: caller.user_id,
                client_id: caller.client_id,
                stops: on_error == OnError::Stop,
            };
            // A wrong key is told before anything is read.
            once_of(key, String::new())?;
            within(LONGEST_BATCH, self.0.store.create_import(&new)).await?;
            let outcome = self.queue_rows(&new, format, source, key).await;
            if outcome.as_ref().ok() != Some(&new.id) {
                within(LONGEST_BATCH, self.0.store.delete_import(&new)).await?;
                return outcome;
            }
            self.0.imports.notify_one();
            self.note_transfer(caller, "memories_imported", json!({ "import_id": new.id }));
            outcome
        })
    }

    /// How an import of the caller's stands.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::NotFound`].
    pub fn import<'a>(&'a self, caller: &'a Caller, id: ImportId) -> BoxFuture<'a, Result<Import, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.import(caller.user_id, id).await?.ok_or(Error::NotFound)
        })
    }

    async fn queue_rows(
        &self,
        new: &NewImport,
        format: ImportFormat,
        source: Box<dyn Read + Send>,
        key: Option<&str>,
    ) -> Result<ImportId, Error> {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let reading = tokio::task::spawn_blocking(move || {
            let mut source = Hashed { source, hash: StreamHash::default() };
            // Nobody listens any more after the first error of an import that stops.
            reader::read(format, &mut source, |number, row| sender.blocking_send((number, row)).is_ok())?;
            Ok::<_, std::io::Error>(source.hash.finish())
        });
        let (mut rows, mut errors, mut failed, mut total) = (Vec::with_capacity(BATCH), Vec::new(), 0, 0);
        while let Some((number, row)) = receiver.recv().await {
            total += 1;
            match row {
                Ok(row) => rows.push(serde_json::to_string(&row).map_err(Error::internal)?),
                Err(error) => {
                    failed += 1;
                    if errors.len() < MOST_ERRORS {
                        errors.extend(named(number, &error));
                    }
                    if new.stops {
                        break;
                    }
                }
            }
            if rows.len() == BATCH {
                within(LONGEST_BATCH, self.0.store.queue_import_rows(new, total, &rows)).await?;
                rows.clear();
            }
        }
        drop(receiver);
        let read = reading.await.map_err(Error::internal)?;
        let hash = read.map_err(|error| Error::invalid("", format!("the upload ended early ({error}); nothing was stored")))?;
        within(LONGEST_BATCH, self.0.store.queue_import_rows(new, total, &rows)).await?;
        let once = once_of(key, format!("import {format:?} {} {hash}", new.stops))?;
        let read = ReadImport { total, failed, errors };
        within(LONGEST_BATCH, self.0.store.start_import(new, &read, once.as_ref())).await
    }
}

/// A stream whose bytes are hashed while they are read.
struct Hashed {
    source: Box<dyn Read + Send>,
    hash: StreamHash,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// An error with the row that it is in.
pub(crate) fn named(row: u64, error: &Error) -> Vec<ImportError> {
    match error {
        Error::Invalid(errors) => {
            errors.iter().map(|error| ImportError { row, field: error.field.clone(), message: error.message.clone() }).collect()
        }
        other => vec![ImportError { row, field: String::new(), message: other.to_string() }],
    }
}
