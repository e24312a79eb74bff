//! The REST API and the OAuth endpoints, one module a resource.

pub(crate) mod activity;
mod admin;
pub(crate) mod answers;
pub(crate) mod clients;
pub(crate) mod connections;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod introspection;
pub(crate) mod memories;
pub(crate) mod metadata;
pub(crate) mod people;
pub(crate) mod personas;
pub(crate) mod registration;
pub(crate) mod revocation;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod user_tokens;
pub(crate) mod users;
