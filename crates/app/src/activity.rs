//! The log of acts, and the figures of the deployment.

use futures_util::future::BoxFuture;
use picard_domain::page::ListLimit;
use picard_domain::{Caller, Error, Scope, UserId};
use picard_storage::audit::{AuditEvent, AuditFilter};
use picard_storage::statistics::Statistics;

use crate::{Administrator, App};

/// A page of the log.
#[derive(Debug)]
pub struct ActivityPage {
    /// The acts, the newest first.
    pub events: Vec<AuditEvent>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

impl App {
    /// What happened in the deployment: ids and kinds of acts, never a text.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor of another list.
    pub fn activity<'a>(
        &'a self,
        administrator: Administrator,
        filter: AuditFilter,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ActivityPage, Error>> {
        Box::pin(async move { self.audit_page(administrator.user_id, filter, limit, cursor).await })
    }

    /// What the caller did, and what was done to their account and their memories.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Invalid`] for a cursor of another list.
    pub fn own_activity<'a>(
        &'a self,
        caller: &'a Caller,
        filter: AuditFilter,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ActivityPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let filter = AuditFilter { user_id: Some(caller.user_id), ..filter };
            let mut page = self.audit_page(caller.user_id, filter, limit, cursor).await?;
            // Where somebody else was when they did something is not the caller's business.
            for event in page.events.iter_mut().filter(|event| event.user_id != Some(caller.user_id)) {
                event.address = None;
            }
            Ok(page)
        })
    }

    async fn audit_page(
        &self,
        reader: UserId,
        filter: AuditFilter,
        limit: ListLimit,
        cursor: Option<&str>,
    ) -> Result<ActivityPage, Error> {
        let list = format!("activity {filter:?}");
        let cursors = &self.0.cursors;
        let after = cursor.map(|cursor| cursors.open_place(reader, &list, cursor)).transpose()?;
        let mut events = self.0.store.audit_events(&filter, after, limit.get() + 1).await?;
        let is_more = events.len() > limit.get() as usize;
        events.truncate(limit.get() as usize);
        let last = events.last().filter(|_| is_more);
        let next_cursor = last.map(|event| cursors.seal_place(reader, &list, event.happened_at, event.id));
        Ok(ActivityPage { events, next_cursor })
    }

    /// The figures of the deployment.
    ///
    /// # Errors
    /// As every statement.
    pub fn statistics(&self, _: Administrator) -> BoxFuture<'_, Result<Statistics, Error>> {
        Box::pin(async move { self.0.store.statistics().await })
    }
}
