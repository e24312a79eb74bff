//! The pages, one module for each resource.

pub(crate) mod activity;
pub(crate) mod analytics;
pub(crate) mod connect;
pub(crate) mod connections;
mod directory;
pub(crate) mod export;
mod field_errors;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod import;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod memories;
pub(crate) mod memory;
pub(crate) mod memory_delete;
pub(crate) mod memory_edit;
mod memory_fields;
pub(crate) mod memory_history;
pub(crate) mod memory_new;
pub(crate) mod memory_sharing;
mod memory_view;
pub(crate) mod profile;
pub(crate) mod register;
pub(crate) mod search;
mod vocabulary;
