//! Writing, reading, changing and deleting memories.

use futures_util::future::BoxFuture;
use picard_domain::commands::{
    DeleteMemory, Deleted, GetMemories, GetMemory, ListSummaries, MemoryFilter, MemoryPage, MemorySummary, ModifyPermissions,
    RetrieveMemories, SubmitMemory, SummaryPage, UpdateMemory,
};
use picard_domain::memory::Tags;
use picard_domain::page::{ExpirationStatus, Order, Sort};
use picard_domain::{Caller, Error, Memory, MemoryId, Reach, Scope, Timestamp, UserId};
use picard_storage::memories::{MemoryChange, NewMemory, PageRequest};

use crate::App;
use crate::embedding::LEASE;

impl App {
    /// Stores a memory of the caller.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`] when the expiration date has passed.
    pub fn submit_memory<'a>(&'a self, caller: &'a Caller, command: SubmitMemory) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.check_future(command.expiration_date)?;
            let now = self.0.clock.now();
            let new = NewMemory {
                id: MemoryId::generate(),
                user_id: caller.user_id,
                text: command.text,
                permission: command.permission,
                tags: command.tags,
                category: command.category,
                expiration_date: command.expiration_date,
                created_at: now,
                updated_at: now,
            };
            let mut memory = self.0.store.create_memory(&new, LEASE.as_secs_f64()).await?;
            memory.embedding_status = self.embed_now(memory.id, 1, &memory.text).await;
            Ok(memory)
        })
    }

    /// Reads one memory that the caller may see.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::NotFound`].
    pub fn get_memory<'a>(&'a self, caller: &'a Caller, command: GetMemory) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.visible(caller.user_id, command.memory_id).await
        })
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
            self.page(&list, command.cursor.as_deref()).await
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
        Box::pin(async move {
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
            Ok(SummaryPage {
                memories: page.memories.into_iter().map(MemorySummary::from).collect(),
                next_cursor: page.next_cursor,
            })
        })
    }

    /// Changes a memory of the caller.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::NotFound`], [`Error::Forbidden`] for a memory of
    /// somebody else that the caller may read, [`Error::VersionMismatch`].
    pub fn update_memory<'a>(&'a self, caller: &'a Caller, command: UpdateMemory) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.check_future(command.expiration_date.flatten())?;
            let id = command.memory_id;
            let change = MemoryChange {
                text: command.text,
                permission: command.permission,
                tags: command.tags,
                category: command.category,
                expiration_date: command.expiration_date,
                expected_version: command.version,
            };
            if change.is_empty() {
                return Err(Error::invalid(
                    "",
                    "name at least one of text, permission, expiration_date, tags, category to change",
                ));
            }
            self.change(caller, id, change).await
        })
    }

    /// Changes who may see a memory of the caller.
    ///
    /// # Errors
    /// As [`App::update_memory`].
    pub fn modify_permissions<'a>(
        &'a self,
        caller: &'a Caller,
        command: ModifyPermissions,
    ) -> BoxFuture<'a, Result<Memory, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let change = MemoryChange { permission: Some(command.permission), ..MemoryChange::default() };
            self.change(caller, command.memory_id, change).await
        })
    }

    /// Deletes a memory of the caller for good.
    ///
    /// # Errors
    /// As [`App::update_memory`].
    pub fn delete_memory<'a>(&'a self, caller: &'a Caller, command: DeleteMemory) -> BoxFuture<'a, Result<Deleted, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let id = command.memory_id;
            self.check_owner(caller.user_id, id).await?;
            if !self.0.store.delete_memory(caller.user_id, id).await? {
                return Err(Error::NotFound);
            }
            Ok(Deleted { id, deleted: true, message: "The memory was deleted.".to_owned() })
        })
    }

    async fn change(&self, caller: &Caller, id: MemoryId, change: MemoryChange) -> Result<Memory, Error> {
        self.check_owner(caller.user_id, id).await?;
        let version = self.0.store.update_memory(caller.user_id, id, &change, LEASE.as_secs_f64()).await?;
        if let Some(text) = &change.text {
            self.embed_now(id, version, text.as_str()).await;
        }
        self.visible(caller.user_id, id).await
    }

    async fn visible(&self, reader: UserId, id: MemoryId) -> Result<Memory, Error> {
        self.0.store.memory(Reach::Visible { reader }, id).await?.ok_or(Error::NotFound)
    }

    /// What the caller cannot see does not exist; what they see but do not own is forbidden.
    async fn check_owner(&self, person: UserId, id: MemoryId) -> Result<(), Error> {
        match self.0.store.memory_owner(Reach::Visible { reader: person }, id).await? {
            None => Err(Error::NotFound),
            Some(owner) if owner == person => Ok(()),
            Some(_) => Err(Error::Forbidden),
        }
    }

    fn check_future(&self, expiration_date: Option<Timestamp>) -> Result<(), Error> {
        match expiration_date {
            Some(moment) if moment <= self.0.clock.now() => Err(Error::invalid("expiration_date", "must be in the future")),
            _ => Ok(()),
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
