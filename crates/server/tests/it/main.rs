//! The server from outside: real HTTP, a real PostgreSQL a test.
#![expect(unreachable_pub, reason = "the kit is one module of one binary; pub says what tests use")]

mod arrows;
mod kit;
mod mcp;
mod memories;
