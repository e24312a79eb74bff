//! The statements on a real PostgreSQL: what must hold when several processes use one database.

mod backup;
mod costs;
mod distribution;
mod embedding_jobs;
mod grants;
mod kit;
mod memories;
mod pool;
mod schema;
mod search_index;
mod upgrade;
mod worlds;
