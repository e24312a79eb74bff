//! Figures of the deployment: counts, nothing of anybody's.

use picard_domain::Error;
use sqlx::PgConnection;

use crate::Store;
use crate::error::storage_error;

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Accounts.
    pub users: i64,
    /// Accounts that may be used.
    pub active_users: i64,
    /// Accounts that administer the deployment.
    pub superusers: i64,
    /// Clients that administrators registered.
    pub clients: i64,
    /// Clients that registered themselves or are named by a document.
    pub self_registered_clients: i64,
    /// Grants that hold.
    pub grants: i64,
    /// Memories of everybody.
    pub memories: i64,
    /// Memories that everybody may see.
    pub public_memories: i64,
    /// Embeddings that are still to be made.
    pub embedding_backlog: i64,
}

impl Store {
    /// Counts everything, at a copy of the database if it knows everything.
    ///
    /// # Errors
    /// As every statement.
    pub async fn statistics(&self) -> Result<Statistics, Error> {
        if let Some(mut replica) = self.current_replica().await?
            && let Some(found) = self.counted(count(&mut replica)).await?
        {
            return Ok(found);
        }
        count(&mut *self.pool.acquire().await.map_err(storage_error)?).await
    }
}

async fn count(connection: &mut PgConnection) -> Result<Statistics, Error> {
    sqlx::query_as!(
        Statistics,
        r#"SELECT u.users AS "users!", u.active_users AS "active_users!", u.superusers AS "superusers!",
                      c.clients AS "clients!", c.self_registered_clients AS "self_registered_clients!",
                      (SELECT count(*) FROM grants WHERE revoked_at IS NULL AND expires_at > now()) AS "grants!",
                      m.memories AS "memories!", m.public_memories AS "public_memories!",
                      (SELECT count(*) FROM embedding_jobs WHERE failed_at IS NULL) AS "embedding_backlog!"
               FROM (SELECT count(*) AS users, count(*) FILTER (WHERE is_active) AS active_users,
                            count(*) FILTER (WHERE is_superuser) AS superusers FROM users) u,
                    (SELECT count(*) FILTER (WHERE origin = 'administrator') AS clients,
                            count(*) FILTER (WHERE origin <> 'administrator') AS self_registered_clients FROM clients) c,
                    (SELECT count(*) AS memories, count(*) FILTER (WHERE permission = 'public') AS public_memories FROM memories) m"#,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(storage_error)
}
