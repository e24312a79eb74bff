//! The server from outside: real HTTP, a real PostgreSQL a test.
#![expect(unreachable_pub, reason = "the kit is one module of one binary; pub says what tests use")]

mod administration;
mod arrows;
mod bearer;
mod changes;
mod clients;
mod connections;
mod database_away;
mod documents;
mod embeddings;
mod encryption;
mod http;
mod introspection;
mod key_rotation;
mod kit;
mod lists;
mod mcp;
mod memories;
mod search;
mod token_endpoint;
mod tokens;
mod tools;
mod user_tokens;
