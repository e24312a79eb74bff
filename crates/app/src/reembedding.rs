//! Moving to another embedding model while servers go on with the old one: both models' vectors stand side by side, and
//! each server searches those of its own model.

use futures_util::future::BoxFuture;
use picard_domain::{Error, MemoryId};
use picard_embedding::EmbedError;
use picard_storage::embedding_jobs::PendingText;
use uuid::Uuid;

use crate::App;
use crate::embedding::by_text;

/// How many texts are embedded at once.
const BATCH: i64 = 32;

/// Goes through all memories that have no embedding of the application's model.
pub struct Reembedding {
    app: App,
    after: MemoryId,
    /// How many were embedded.
    pub done: u64,
    /// How many the provider refused.
    pub failed: u64,
}

impl Reembedding {
    /// Begins; what an earlier run has done is not done again.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app, after: MemoryId(Uuid::nil()), done: 0, failed: 0 }
    }

    /// How many memories have no embedding of this model.
    ///
    /// # Errors
    /// As every statement.
    pub fn remaining(&self) -> BoxFuture<'_, Result<i64, Error>> {
        Box::pin(async move { self.app.0.store.count_without_model(self.app.0.embedder.model()).await })
    }

    /// Embeds the next memories; `false` at the end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when provider or database are away: call again later.
    pub fn step(&mut self) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async move {
            let model = self.app.0.embedder.model().to_owned();
            let (texts, last) = self.app.0.store.texts_without_model(&model, self.after, BATCH).await?;
            let Some(last) = last else {
                return Ok(false);
            };
            match self.embed(&model, &texts).await {
                Err(Failure::Refused) if texts.len() > 1 => {
                    for text in &texts {
                        self.embed_alone(&model, text).await?;
                    }
                }
                Err(Failure::Refused) => self.failed += 1,
                Err(Failure::Away(error)) => return Err(error),
                Ok(()) => self.done += texts.len() as u64,
            }
            self.after = last;
            Ok(true)
        })
    }

    async fn embed_alone(&mut self, model: &str, text: &PendingText) -> Result<(), Error> {
        match self.embed(model, std::slice::from_ref(text)).await {
            Ok(()) => self.done += 1,
            Err(Failure::Refused) => {
                tracing::warn!(memory.id = %text.of.memory_id, "A text cannot be embedded.");
                self.failed += 1;
            }
            Err(Failure::Away(error)) => return Err(error),
        }
        Ok(())
    }

    async fn embed(&self, model: &str, texts: &[PendingText]) -> Result<(), Failure> {
        let embedder = &self.app.0.embedder;
        let windows: Vec<Vec<&str>> = texts.iter().map(|text| embedder.windows(&text.text)).collect();
        let vectors = embedder.embed(&windows.concat()).await.map_err(|error| match error {
            EmbedError::Unavailable { .. } => Failure::Away(Error::unavailable("The embedding model", error)),
            EmbedError::Rejected(_) | EmbedError::InvalidAnswer(_) => Failure::Refused,
        })?;
        self.app.store_embeddings(&by_text(texts, &windows, &vectors), model, false).await.map_err(Failure::Away)
    }

    /// Deletes the embeddings of all other models; answers how many.
    ///
    /// # Errors
    /// As every statement.
    pub fn drop_others(&self) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(async move { self.app.0.store.drop_other_embeddings(self.app.0.embedder.model()).await })
    }
}

enum Failure {
    Refused,
    Away(Error),
}
