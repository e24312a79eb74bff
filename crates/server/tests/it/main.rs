//! The server from outside: real HTTP, a real PostgreSQL a test.
#![expect(unreachable_pub, reason = "the kit is one module of one binary; pub says what tests use")]

mod administration;
mod arrows;
mod authorize;
mod bearer;
mod changes;
mod clients;
mod codes;
mod connections;
mod database_away;
mod documents;
mod embeddings;
mod encryption;
mod groups;
mod http;
mod introspection;
mod key_rotation;
mod kit;
mod limits;
mod lists;
mod mcp;
mod memories;
mod pages;
mod races;
mod registration;
mod search;
mod token_endpoint;
mod token_model;
mod tokens;
mod tools;
mod user_tokens;
mod users;
