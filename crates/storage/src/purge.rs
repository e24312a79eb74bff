//! Deleting what has ended, a few rows at a time: a statement that deleted everything at once would be cut off once there is
//! much to do, and would have done nothing.

use picard_domain::Error;
use sqlx::PgConnection;

use crate::Store;
use crate::error::storage_error;

/// How many rows one transaction deletes.
const MOST: i64 = 1_000;
/// The same where others go with each row.
const MOST_WITH_OTHERS: i64 = 20;

/// Deletes until nothing is left, each time in a transaction of its own, and only while no other server does.
macro_rules! until_none_is_left {
    ($store:expr, $most:expr, $statement:literal) => {{
        let deleting = async {
            let mut gone = 0;
            loop {
                let mut transaction = $store.pool.begin().await.map_err(storage_error)?;
                if !is_our_turn(&mut transaction).await? {
                    return Ok(gone);
                }
                let done = sqlx::query!($statement, $most).execute(&mut *transaction).await.map_err(storage_error)?;
                transaction.commit().await.map_err(storage_error)?;
                gone += done.rows_affected();
                if done.rows_affected() < u64::try_from($most).unwrap_or(u64::MAX) {
                    return Ok(gone);
                }
            }
        };
        deleting.await
    }};
}

impl Store {
    /// Deletes what has ended long enough ago that nobody can ask for it. What cannot be deleted of one kind does not keep
    /// the others.
    ///
    /// # Errors
    /// The first of those of its statements.
    pub async fn purge_ended(&self) -> Result<(), Error> {
        let outcomes = [self.purge_tokens().await, self.purge_sessions().await, self.purge_work().await, self.purge_logs().await];
        outcomes.into_iter().collect()
    }

    async fn purge_tokens(&self) -> Result<(), Error> {
        let outcomes: [Result<u64, Error>; 5] = [
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM revoked_access_tokens WHERE id IN (
                     SELECT id FROM revoked_access_tokens WHERE expires_at < now() - interval '1 hour' LIMIT $1)"
            ),
            // A family that is refreshed every hour has thousands of them when it ends; one whose time has passed is refused
            // whether it is known or not.
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM refresh_tokens WHERE token_hash IN (
                     SELECT token_hash FROM refresh_tokens WHERE consumed_at IS NOT NULL AND expires_at < now() LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM authorization_codes WHERE code_hash IN (
                     SELECT code_hash FROM authorization_codes
                     WHERE grant_id IS NULL AND expires_at < now() - interval '1 hour' LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST_WITH_OTHERS,
                "DELETE FROM grants WHERE id IN (
                     SELECT id FROM grants WHERE coalesce(revoked_at, expires_at) < now() - interval '2 days' LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM signing_keys WHERE kid IN (SELECT kid FROM signing_keys WHERE verifies_until < now() LIMIT $1)"
            ),
        ];
        outcomes.into_iter().try_for_each(|gone| gone.map(|_| ()))
    }

    async fn purge_sessions(&self) -> Result<(), Error> {
        let outcomes: [Result<u64, Error>; 4] = [
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM rate_limits WHERE subject IN (SELECT subject FROM rate_limits WHERE window_end < now() LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM authorization_requests WHERE id IN (
                     SELECT id FROM authorization_requests WHERE expires_at < now() LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM sessions WHERE token_hash IN (
                     SELECT token_hash FROM sessions
                     WHERE expires_at < now() OR last_used_at < now() - interval '1 day' LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM mcp_sessions WHERE id_hash IN (
                     SELECT id_hash FROM mcp_sessions WHERE last_used_at < now() - interval '1 day' LIMIT $1)"
            ),
        ];
        outcomes.into_iter().try_for_each(|gone| gone.map(|_| ()))
    }

    async fn purge_work(&self) -> Result<(), Error> {
        let outcomes: [Result<u64, Error>; 4] = [
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM idempotency_keys WHERE (user_id, key_hash) IN (
                     SELECT user_id, key_hash FROM idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST_WITH_OTHERS,
                "DELETE FROM imports WHERE (user_id, id) IN (
                     SELECT user_id, id FROM imports
                     WHERE updated_at < now() - CASE WHEN run_after = 'infinity' THEN interval '1 day' ELSE interval '30 days' END
                     LIMIT $1)"
            ),
            // It has no key, and is on one node in every deployment.
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM memory_deletions WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM memory_deletions WHERE deleted_at < now() - interval '2 hours' LIMIT $1))"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM embedding_jobs WHERE (user_id, memory_id, model) IN (
                     SELECT user_id, memory_id, model FROM embedding_jobs
                     WHERE model <> '' AND created_at < now() - interval '7 days' LIMIT $1)"
            ),
        ];
        outcomes.into_iter().try_for_each(|gone| gone.map(|_| ()))
    }

    async fn purge_logs(&self) -> Result<(), Error> {
        let outcomes: [Result<u64, Error>; 2] = [
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM persona_questions WHERE (user_id, id) IN (
                     SELECT user_id, id FROM persona_questions WHERE asked_at < now() - interval '400 days' LIMIT $1)"
            ),
            until_none_is_left!(
                self,
                MOST,
                "DELETE FROM audit_events WHERE id IN (
                     SELECT id FROM audit_events WHERE happened_at < now() - interval '400 days' LIMIT $1)"
            ),
        ];
        outcomes.into_iter().try_for_each(|gone| gone.map(|_| ()))
    }

    /// Deletes clients that nobody of the administration vouches for and that nobody has used for a day (REG-11): without
    /// any grant, code, or question under way.
    ///
    /// # Errors
    /// As every statement.
    pub async fn purge_unused_clients(&self) -> Result<u64, Error> {
        let unused = sqlx::query_scalar!(
            "SELECT c.id FROM clients c
             WHERE c.origin <> 'administrator' AND coalesce(c.metadata_read_at, c.created_at) < now() - interval '24 hours'
               AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = c.id)
               AND NOT EXISTS (SELECT 1 FROM authorization_codes a WHERE a.client_id = c.id)
               AND NOT EXISTS (SELECT 1 FROM authorization_requests r WHERE r.client_id = c.id)
             LIMIT $1",
            MOST,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        if unused.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        // Whoever begins to use one waits from here on; those that somebody has begun to use meanwhile stay.
        sqlx::query!("SELECT id FROM clients WHERE id = ANY ($1) ORDER BY id FOR UPDATE", &unused)
            .fetch_all(&mut *transaction)
            .await
            .map_err(storage_error)?;
        let used = sqlx::query_scalar!(
            r#"SELECT client_id AS "id!" FROM grants WHERE client_id = ANY ($1)
               UNION ALL SELECT client_id FROM authorization_codes WHERE client_id = ANY ($1)
               UNION ALL SELECT client_id FROM authorization_requests WHERE client_id = ANY ($1)"#,
            &unused,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let gone = sqlx::query!(
            "DELETE FROM clients WHERE id = ANY ($1) AND id <> ALL ($2)
               AND coalesce(metadata_read_at, created_at) < now() - interval '24 hours'",
            &unused,
            &used,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(gone.rows_affected())
    }
}

/// Of several servers that delete at the same time, one does until its transaction ends; the others have nothing to do.
async fn is_our_turn(connection: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(hashtext('picard purge')) AS "is_ours!""#)
        .fetch_one(connection)
        .await
        .map_err(storage_error)
}
