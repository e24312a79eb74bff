//! The REST API and the OAuth endpoints, one module a resource.

pub(crate) mod clients;
pub(crate) mod health;
pub(crate) mod metadata;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod user_tokens;
