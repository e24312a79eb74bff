//! Which memories a read may touch.

use crate::UserId;

/// The memories that a read may touch, decided by the rules and put into the WHERE clause by the storage.
///
/// Expired memories are within reach of their owner alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything the reader owns.
    Own(UserId),
    /// What anyone made public, the reader included.
    Public {
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

impl Reach {
    /// The person who reads.
    #[must_use]
    pub fn reader(&self) -> UserId {
        match *self {
            Self::Own(reader) | Self::Public { reader } | Self::VisibleOf { reader, .. } | Self::Visible { reader } => reader,
        }
    }
}
