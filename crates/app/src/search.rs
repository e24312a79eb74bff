//! Finding memories by meaning.

use picard_domain::commands::QueryMemory;
use picard_domain::query::{SearchHit, SearchHits, SearchScope};
use picard_domain::{Caller, Error, Reach, Scope, Vector};
use picard_storage::memories::VectorQuery;

use crate::App;

impl App {
    /// Finds the memories whose meaning is nearest to the query, among those that the caller may see.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Unavailable`] when the query cannot be embedded.
    pub async fn query_memory(&self, caller: &Caller, command: QueryMemory) -> Result<SearchHits, Error> {
        caller.require(Scope::Read)?;
        let reader = caller.user_id;
        let reach = match command.scope {
            SearchScope::Own => Reach::Own(reader),
            SearchScope::Public => Reach::Public { reader },
            SearchScope::All => Reach::Visible { reader },
        };
        let vector = self.embed_query(command.query.as_str()).await?;
        let wanted = VectorQuery {
            model: self.0.embedder.model(),
            vector: &vector,
            // A score of 0 stands for everything that is not similar at all, so asking for it asks for everything.
            min_similarity: command.min_score.filter(|score| *score > 0.0),
            limit: command.limit.get(),
        };
        let found = self.0.store.search(reach, &command.filter(), &wanted).await?;
        let hits = found.memories.into_iter().map(|(memory, similarity)| SearchHit {
            memory,
            score: similarity.clamp(0.0, 1.0),
            similarity: Some(similarity),
        });
        Ok(SearchHits { query: command.query.into(), mode: command.mode, memories: hits.collect(), total_found: found.total })
    }

    /// A query that is longer than the model's window is looked for by its beginning.
    async fn embed_query(&self, query: &str) -> Result<Vector, Error> {
        let windows = self.0.embedder.windows(query);
        let first = windows.first().copied().unwrap_or(query);
        let vectors = self.0.embedder.embed(&[first]).await.map_err(|error| Error::unavailable("Search by meaning", error))?;
        vectors.into_iter().next().ok_or_else(|| Error::internal("the embedder answered without a vector"))
    }
}
