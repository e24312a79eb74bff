//! The server from outside: real HTTP, a real PostgreSQL a test.
#![expect(missing_docs, reason = "tests are read by their names")]

mod arrows;
mod kit;
mod mcp;
mod memories;
