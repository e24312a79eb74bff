//! Anonymous statistics over what people let be counted.

use futures_util::future::BoxFuture;
use picard_domain::commands::{Aggregate, AggregateMemories};
use picard_domain::{Caller, Error, Scope};
use picard_storage::memories::Figures;

use crate::App;

impl App {
    /// Counts `aggregate` and `public` memories and their owners. A figure that rests on too few people is left out.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`.
    pub fn aggregate_memories<'a>(
        &'a self,
        caller: &'a Caller,
        command: AggregateMemories,
    ) -> BoxFuture<'a, Result<Aggregate, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let figures = Figures {
                tags: &command.tags,
                category: command.category.as_ref(),
                query: command.query.as_ref(),
                least_people: i64::from(self.0.settings.aggregate_min_people),
            };
            self.0.store.aggregate(&figures).await
        })
    }
}
