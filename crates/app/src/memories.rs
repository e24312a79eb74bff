//! Reading memories, one by one and in lists.

use futures_util::future::BoxFuture;
use picard_crypto::DecryptError;
use picard_domain::commands::{
    GetMemories, GetMemory, ListSummaries, MemoryFilter, MemoryHistory, MemoryPage, MemorySummary, RetrieveMemories, SummaryPage,
    VersionPage,
};
use picard_domain::memory::Tags;
use picard_domain::page::{ExpirationStatus, Order, Sort};
use picard_domain::{Caller, Error, Memory, MemoryId, Reach, Scope, UserId};
use picard_storage::memories::PageRequest;

use crate::App;
use crate::patience::{LONGEST_CALL, within};

impl App {
    /// Reads one memory that the caller may see.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::NotFound`].
    pub fn get_memory<'a>(&'a self, caller: &'a Caller, command: GetMemory) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(within(LONGEST_CALL, async move {
            caller.require(Scope::Read)?;
            let memory = self.visible(caller.user_id, command.memory_id).await?;
            self.note_reads(caller, "get", [&memory]);
            Ok(memory)
        }))
    }

    /// Lists memories of one person, as far as the caller may see them.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Invalid`] for a cursor of another list.
    pub fn get_memories<'a>(&'a self, caller: &'a Caller, command: GetMemories) -> BoxFuture<'a, Result<MemoryPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let owner = command.user_id.unwrap_or(caller.user_id);
            let list = List {
                reach: Reach::VisibleOf { reader: caller.user_id, owner },
                filter: command.filter(),
                sort: command.sort,
                order: command.order,
                limit: command.limit.get(),
            };
            let page = self.page(&list, command.cursor.as_deref()).await?;
            self.note_reads(caller, "list", &page.memories);
            Ok(page)
        })
    }

    /// Lists everything the caller owns, expired memories too.
    ///
    /// # Errors
    /// As [`App::get_memories`].
    pub fn retrieve_memories<'a>(
        &'a self,
        caller: &'a Caller,
        command: RetrieveMemories,
    ) -> BoxFuture<'a, Result<MemoryPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let filter = MemoryFilter {
                permission: command.permission,
                expiration_status: ExpirationStatus::All,
                ..MemoryFilter::default()
            };
            let list = List {
                reach: Reach::Own(caller.user_id),
                filter,
                sort: Sort::CreatedAt,
                order: Order::Desc,
                limit: command.limit.get(),
            };
            self.page(&list, command.cursor.as_deref()).await
        })
    }

    /// Lists memories of one person in short.
    ///
    /// # Errors
    /// As [`App::get_memories`].
    pub fn list_summaries<'a>(&'a self, caller: &'a Caller, command: ListSummaries) -> BoxFuture<'a, Result<SummaryPage, Error>> {
        Box::pin(within(LONGEST_CALL, async move {
            caller.require(Scope::Read)?;
            let tags = Tags::try_from(command.tags).map_err(|error| Error::invalid("tags", error.to_string()))?;
            let list = List {
                reach: Reach::VisibleOf { reader: caller.user_id, owner: command.user_id },
                filter: MemoryFilter { permission: command.permission, tags, ..MemoryFilter::default() },
                sort: Sort::CreatedAt,
                order: Order::Desc,
                limit: command.limit.get(),
            };
            let page = self.page(&list, command.cursor.as_deref()).await?;
            self.note_reads(caller, "list", &page.memories);
            Ok(SummaryPage {
                memories: page.memories.into_iter().map(MemorySummary::from).collect(),
                next_cursor: page.next_cursor,
            })
        }))
    }

    /// Lists the versions of a memory of the caller's, the newest first.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::NotFound`], [`Error::Forbidden`] for a memory of
    /// somebody else; [`Error::Invalid`] for a cursor of another list.
    pub fn memory_history<'a>(&'a self, caller: &'a Caller, command: MemoryHistory) -> BoxFuture<'a, Result<VersionPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.check_owner(caller.user_id, command.memory_id).await?;
            let list = format!("history {}", command.memory_id);
            let cursors = &self.0.cursors;
            let refused = || Error::invalid("cursor", "must be a next_cursor of this list");
            let before = command
                .cursor
                .as_deref()
                .map(|cursor| cursors.open_name(caller.user_id, &list, cursor)?.parse::<i64>().map_err(|_| refused()))
                .transpose()?;
            let limit = command.limit.get();
            let mut versions = self.0.store.memory_versions(caller.user_id, command.memory_id, before, limit + 1).await?;
            let is_more = versions.len() > limit as usize;
            versions.truncate(limit as usize);
            let last = versions.last().filter(|_| is_more);
            let next_cursor = last.map(|last| cursors.seal_name(caller.user_id, &list, &last.version.to_string()));
            Ok(VersionPage { versions, next_cursor })
        })
    }

    pub(crate) async fn visible(&self, reader: UserId, id: MemoryId) -> Result<Memory, Error> {
        let found = self.0.store.memory(Reach::Visible { reader }, id).await.inspect_err(|error| {
            if let Error::Internal(cause) = error
                && cause.is::<DecryptError>()
            {
                tracing::error!(event = "decryption_failed", memory.id = %id, user.id = %reader, "A memory cannot be decrypted.");
            }
        });
        found?.ok_or(Error::NotFound)
    }

    /// What the caller cannot see does not exist; what they see but do not own is forbidden.
    pub(crate) async fn check_owner(&self, person: UserId, id: MemoryId) -> Result<(), Error> {
        match self.0.store.memory_owner(Reach::Visible { reader: person }, id).await? {
            None => Err(Error::NotFound),
            Some(owner) if owner == person => Ok(()),
            Some(_) => Err(Error::Forbidden),
        }
    }

    async fn page(&self, list: &List, cursor: Option<&str>) -> Result<MemoryPage, Error> {
        let reader = list.reach.reader();
        let question = format!("{:?}", (list.reach, &list.filter, list.sort, list.order));
        let after = cursor.map(|cursor| self.0.cursors.open(reader, &question, cursor)).transpose()?;
        let request = PageRequest { sort: list.sort, order: list.order, after, limit: list.limit };
        let (page, total) = tokio::try_join!(
            self.0.store.memories(list.reach, &list.filter, request),
            self.0.store.count_memories(list.reach, &list.filter),
        )?;
        let next_cursor = page.next.map(|position| self.0.cursors.seal(reader, &question, position));
        Ok(MemoryPage { memories: page.memories, next_cursor, total })
    }
}

/// A list as it was asked for.
struct List {
    reach: Reach,
    filter: MemoryFilter,
    sort: Sort,
    order: Order,
    limit: u32,
}
