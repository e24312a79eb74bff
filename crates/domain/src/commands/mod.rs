//! What one can ask for, and the answers that are more than a memory. One command a tool: the tool
//! `submit_memory` takes a [`SubmitMemory`].

mod once;
mod persona;
mod read;
mod views;
mod write;

pub use once::{IdempotencyKey, Once};
pub use persona::{
    AnswerCitation, AnswerMode, AnsweringPersona, CreatePersona, DeletePersona, ListPersonas, PersonaDeleted, PersonaPage,
    QueryAnswer, QueryUser, Turn, TurnRole, UpdatePersona, UsedMemory,
};
pub use read::{
    AggregateMemories, GetMemories, GetMemory, ListSummaries, MemoryFilter, MemoryHistory, QueryMemory, RetrieveMemories,
};
pub use views::{
    Aggregate, BatchError, BatchFieldError, BatchResult, BatchSummary, Deleted, MemoryPage, MemorySummary, MonthFigure,
    SummaryPage, TagFigure, Version, VersionPage, heading,
};
pub use write::{
    BatchMemory, DeleteMemory, ModifyPermissions, OnError, RestoreMemory, SubmitMemories, SubmitMemory, UpdateMemory,
};

use serde::{Deserialize, Deserializer};

/// Tells a member that is null from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Refuses null where only absence means "leave as it is".
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
