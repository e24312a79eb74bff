//! The launcher: brings up all of Picard on a machine that has nothing but this binary.
//!
//! It finds or fetches PostgreSQL with pgvector and the local embedding model, keeps a private database
//! cluster and the secrets in one data folder, and runs both programs in one process until it is told to stop.
//! It must not know what the programs do inside: it starts them through their `start`, talks to them over HTTP,
//! and holds no table and no rule of theirs.
//!
//! Start reading at [`command`], then [`up`].

pub mod bench;
pub mod child;
pub mod command;
pub mod db_run;
pub mod env_file;
pub mod environment;
pub mod fetch;
pub mod files;
pub mod postgres;
pub mod problem;
pub mod program;
pub mod random;
pub mod rest;
pub mod signals;
pub mod up;
