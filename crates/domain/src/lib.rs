//! The words of Picard and the rules that need nothing but themselves: what a memory, a person, a
//! scope, a page of results is, and the commands and views that every door shares.
//!
//! It must not know HTTP, SQL, MCP or any provider; it does no I/O and takes the time as an argument.
//! A value of one of these types has been checked: parsing is the validation, so no door can forget it.
//!
//! Start with [`memory`] and [`commands`], then [`caller`] and [`error`].

pub mod account;
pub mod caller;
pub mod client;
pub mod clock;
pub mod commands;
pub mod error;
pub mod group;
pub mod ids;
pub mod memory;
pub mod page;
pub mod persona;
pub mod query;
pub mod ranking;
pub mod reach;
pub mod scope;
pub mod timestamp;
pub mod vector;
pub mod words;

pub use account::{Email, Username};
pub use caller::{Caller, Door};
pub use client::{ClientAuthMethod, ClientOrigin};
pub use clock::Clock;
pub use error::{Error, FieldError};
pub use ids::{AuthorizationRequestId, ClientId, GrantId, GroupId, MemoryId, PersonaId, TokenId, UserId};
pub use memory::{Memory, MemoryText, Permission};
pub use reach::Reach;
pub use scope::{Scope, Scopes};
pub use timestamp::Timestamp;
pub use vector::Vector;
