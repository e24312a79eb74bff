//! Groups of people. To whom a group does not belong, and who is not in it, it is not there.

use futures_util::future::BoxFuture;
use picard_domain::group::{Group, GroupName, GroupPart};
use picard_domain::page::ListLimit;
use picard_domain::{Caller, Error, GroupId, Scope, UserId};
use picard_storage::groups::MemberAdded;

use crate::App;
use crate::tools::once_of;

/// A page of groups.
#[derive(Debug)]
pub struct GroupPage {
    /// The groups, the newest first.
    pub groups: Vec<Group>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What a cursor of the list of groups is sealed for.
const LIST: &str = "groups";

impl App {
    /// Makes a group of the caller's.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Conflict`] for more groups than one may own; [`Error::IdempotencyMismatch`].
    pub fn create_group<'a>(
        &'a self,
        caller: &'a Caller,
        name: GroupName,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Group, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let once = once_of(key, format!("create_group {}", name.as_str()))?;
            let made = self.0.store.create_group(GroupId::generate(), caller.user_id, &name, once.as_ref()).await?;
            made.ok_or_else(|| Error::Conflict("You own as many groups as one may own: delete one first.".to_owned()))
        })
    }

    /// The groups that the caller owns or is in.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] for a cursor of another list.
    pub fn groups<'a>(
        &'a self,
        caller: &'a Caller,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<GroupPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let cursors = &self.0.cursors;
            let after = cursor.map(|cursor| cursors.open_place(caller.user_id, LIST, cursor)).transpose()?;
            let mut groups = self.0.store.groups(caller.user_id, after, limit.get() + 1).await?;
            let is_more = groups.len() > limit.get() as usize;
            groups.truncate(limit.get() as usize);
            let last = groups.last().filter(|_| is_more);
            let next_cursor = last.map(|group| cursors.seal_place(caller.user_id, LIST, group.created_at, group.id.0));
            Ok(GroupPage { groups, next_cursor })
        })
    }

    /// One group that the caller owns or is in.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`], [`Error::NotFound`].
    pub fn group<'a>(&'a self, caller: &'a Caller, id: GroupId) -> BoxFuture<'a, Result<Group, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.group(caller.user_id, id).await?.ok_or(Error::NotFound)
        })
    }

    /// Renames a group of the caller's.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`]; [`Error::Forbidden`] for a member.
    pub fn rename_group<'a>(&'a self, caller: &'a Caller, id: GroupId, name: GroupName) -> BoxFuture<'a, Result<Group, Error>> {
        Box::pin(async move {
            self.own_group(caller, id).await?;
            if !self.0.store.rename_group(caller.user_id, id, &name).await? {
                return Err(Error::NotFound);
            }
            self.0.store.group(caller.user_id, id).await?.ok_or(Error::NotFound)
        })
    }

    /// Deletes a group of the caller's.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`]; [`Error::Forbidden`] for a member.
    pub fn delete_group<'a>(&'a self, caller: &'a Caller, id: GroupId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.own_group(caller, id).await?;
            if self.0.store.delete_group(caller.user_id, id).await? { Ok(()) } else { Err(Error::NotFound) }
        })
    }

    /// Puts somebody into a group of the caller's.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`] for the group or the person; [`Error::Forbidden`] for a member;
    /// [`Error::Conflict`] when the group is full.
    pub fn add_group_member<'a>(&'a self, caller: &'a Caller, id: GroupId, member: UserId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.own_group(caller, id).await?;
            if member == caller.user_id {
                // The owner is part of it anyway.
                return Ok(());
            }
            match self.0.store.add_group_member(id, member).await? {
                MemberAdded::Done => Ok(()),
                MemberAdded::UnknownPerson => Err(Error::NotFound),
                MemberAdded::Full => Err(Error::Conflict("The group has as many members as it may have.".to_owned())),
            }
        })
    }

    /// Takes somebody out of a group: its owner anybody, a member themselves.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`] for the group, or who is not in it; [`Error::Forbidden`].
    pub fn remove_group_member<'a>(
        &'a self,
        caller: &'a Caller,
        id: GroupId,
        member: UserId,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if member != caller.user_id {
                self.own_group(caller, id).await?;
            } else {
                caller.require(Scope::Write)?;
                self.0.store.group(caller.user_id, id).await?.ok_or(Error::NotFound)?;
            }
            if self.0.store.remove_group_member(id, member).await? { Ok(()) } else { Err(Error::NotFound) }
        })
    }

    /// Refuses groups that the caller neither owns nor is in.
    pub(crate) async fn check_groups(&self, caller: &Caller, groups: &[GroupId]) -> Result<(), Error> {
        if self.0.store.own_groups(caller.user_id, groups).await?.len() == groups.len() {
            return Ok(());
        }
        Err(Error::invalid("shared_with.groups", "must be groups that you own or are in"))
    }

    /// Refuses unless the group is the caller's: to strangers it is not there, members may only look.
    async fn own_group(&self, caller: &Caller, id: GroupId) -> Result<(), Error> {
        caller.require(Scope::Write)?;
        let group = self.0.store.group(caller.user_id, id).await?.ok_or(Error::NotFound)?;
        match group.part_of(caller.user_id) {
            Some(GroupPart::Owner) => Ok(()),
            Some(GroupPart::Member) => Err(Error::Forbidden),
            None => Err(Error::NotFound),
        }
    }
}
