//! Which memories a read may touch.

use std::collections::HashSet;

use crate::memory::{Permission, SharedWith};
use crate::{GroupId, UserId};

/// The memories that a read may touch, decided by the rules and put into the WHERE clause by the storage.
///
/// Expired memories are within reach of their owner alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything the reader owns.
    Own(UserId),
    /// What others share with the reader, or with a group that the reader owns or is in.
    Shared {
        /// The person who reads.
        reader: UserId,
    },
    /// What anyone made public, the reader included.
    Public {
        /// The person who reads.
        reader: UserId,
    },
    /// What others made public.
    PublicOfOthers {
        /// The person who reads.
        reader: UserId,
    },
    /// What of one owner the reader may see: all of it when they are the same person.
    VisibleOf {
        /// The person who reads.
        reader: UserId,
        /// The person whose memories are read.
        owner: UserId,
    },
    /// Everything the reader may see, whoever owns it.
    Visible {
        /// The person who reads.
        reader: UserId,
    },
}

/// What of a memory and of the world the rule needs.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Who owns it.
    pub owner: UserId,
    /// Who may see it.
    pub permission: Permission,
    /// With whom it is shared while it is.
    pub shared_with: &'a SharedWith,
    /// Whether its time has passed.
    pub is_expired: bool,
}

impl Reach {
    /// Whose memories it holds, if they are all one person's.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        match *self {
            Self::Own(owner) | Self::VisibleOf { owner, .. } => Some(owner),
            Self::Shared { .. } | Self::Public { .. } | Self::PublicOfOthers { .. } | Self::Visible { .. } => None,
        }
    }

    /// The person who reads.
    #[must_use]
    pub fn reader(&self) -> UserId {
        match *self {
            Self::Own(reader)
            | Self::Shared { reader }
            | Self::Public { reader }
            | Self::PublicOfOthers { reader }
            | Self::VisibleOf { reader, .. }
            | Self::Visible { reader } => reader,
        }
    }

    /// Whether a memory is within reach; `groups` are those that the reader owns or is in.
    ///
    /// The storage says the same in SQL, inside every statement; a test holds both against each other (MEM-01).
    #[must_use]
    pub fn contains(&self, memory: &Standing<'_>, groups: &HashSet<GroupId>) -> bool {
        let reader = self.reader();
        let is_own = memory.owner == reader;
        let is_public = memory.permission == Permission::Public && !memory.is_expired;
        let is_named =
            memory.shared_with.users.contains(&reader) || memory.shared_with.groups.iter().any(|id| groups.contains(id));
        let is_shared = memory.permission == Permission::Shared && !memory.is_expired && is_named;
        match *self {
            Self::Own(_) => is_own,
            Self::Shared { .. } => !is_own && is_shared,
            Self::Public { .. } => is_public || (is_own && memory.permission == Permission::Public),
            Self::PublicOfOthers { .. } => !is_own && is_public,
            Self::VisibleOf { owner, .. } => memory.owner == owner && (is_own || is_public || is_shared),
            Self::Visible { .. } => is_own || is_public || is_shared,
        }
    }
}
