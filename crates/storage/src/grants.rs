//! Grants and the tokens that come of them. A token is only ever looked up by its hash.

use picard_domain::{ClientId, Error, GrantId, Scopes, Timestamp, TokenId, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// A grant to be stored together with its first refresh token.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// The grant.
    pub id: GrantId,
    /// Who gives it.
    pub user_id: UserId,
    /// Who gets it.
    pub client_id: ClientId,
    /// What it allows.
    pub scopes: Scopes,
    /// Whom its access tokens are for.
    pub audience: String,
    /// When it ends, however often it is refreshed.
    pub expires_at: Timestamp,
    /// SHA-256 of the first refresh token.
    pub refresh_token_hash: [u8; 32],
    /// When that token ends if it is not used.
    pub refresh_token_expires_at: Timestamp,
}

/// A refresh token and the state of everything that it depends on.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    /// The grant.
    pub grant_id: GrantId,
    /// Who gave it.
    pub user_id: UserId,
    /// Who got it.
    pub client_id: ClientId,
    /// What it allows.
    pub scopes: Scopes,
    /// Whom its access tokens are for.
    pub audience: String,
    /// When the grant ends.
    pub grant_expires_at: Timestamp,
    /// Whether the grant was revoked.
    pub is_revoked: bool,
    /// Whether the person's account may be used.
    pub is_user_active: bool,
    /// When this token ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
}

struct RefreshTokenRow {
    grant_id: Uuid,
    user_id: Uuid,
    client_id: Uuid,
    scopes: Vec<String>,
    audience: String,
    grant_expires_at: time::OffsetDateTime,
    is_revoked: bool,
    is_user_active: bool,
    expires_at: time::OffsetDateTime,
    consumed_at: Option<time::OffsetDateTime>,
}

impl From<RefreshTokenRow> for RefreshToken {
    fn from(row: RefreshTokenRow) -> Self {
        Self {
            grant_id: GrantId(row.grant_id),
            user_id: UserId(row.user_id),
            client_id: ClientId(row.client_id),
            scopes: Scopes::from_words(&row.scopes),
            audience: row.audience,
            grant_expires_at: row.grant_expires_at.into(),
            is_revoked: row.is_revoked,
            is_user_active: row.is_user_active,
            expires_at: row.expires_at.into(),
            consumed_at: row.consumed_at.map(Timestamp::from),
        }
    }
}

/// What the database says of the bearer of an access token.
#[derive(Debug, Clone)]
pub struct BearerState {
    /// The client that the grant was given to.
    pub client_id: ClientId,
    /// What the client may have at all by now.
    pub client_scopes: Scopes,
    /// Whether the person is a superuser now.
    pub is_superuser: bool,
}

impl Store {
    /// Stores a grant and its first refresh token.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_grant(&self, grant: &NewGrant) -> Result<(), Error> {
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO grants (id, user_id, client_id, scopes, audience, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
             )
             INSERT INTO refresh_tokens (token_hash, grant_id, user_id, expires_at) VALUES ($7, $1, $2, $8)",
            grant.id.0,
            grant.user_id.0,
            grant.client_id.0,
            &grant.scopes.to_words(),
            grant.audience,
            grant.expires_at.as_offset_date_time(),
            grant.refresh_token_hash.as_slice(),
            grant.refresh_token_expires_at.as_offset_date_time(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Looks a refresh token up without using it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn refresh_token(&self, token_hash: &[u8; 32]) -> Result<Option<RefreshToken>, Error> {
        sqlx::query_as!(
            RefreshTokenRow,
            r#"SELECT t.grant_id, t.user_id, g.client_id, g.scopes, g.audience, g.expires_at AS grant_expires_at,
                      g.revoked_at IS NOT NULL AS "is_revoked!", u.is_active AS is_user_active, t.expires_at, t.consumed_at
               FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id JOIN users u ON u.id = t.user_id
               WHERE t.token_hash = $1"#,
            token_hash.as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(RefreshToken::from))
        .map_err(storage_error)
    }

    /// Uses a refresh token up and stores its successor; `false` when somebody else was faster or the grant
    /// has ended. Claim and mint are one statement: of any number of parallel calls one succeeds (REF-04).
    ///
    /// # Errors
    /// As every statement.
    pub async fn rotate_refresh_token(&self, old: &[u8; 32], new: &[u8; 32], new_expires_at: Timestamp) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let claimed = sqlx::query!(
            "UPDATE refresh_tokens t SET consumed_at = now()
             FROM grants g
             WHERE t.token_hash = $1 AND t.consumed_at IS NULL AND t.expires_at > now()
               AND g.id = t.grant_id AND g.revoked_at IS NULL AND g.expires_at > now()
             RETURNING t.grant_id, t.user_id",
            old.as_slice(),
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let Some(claimed) = claimed else { return Ok(false) };
        sqlx::query!(
            "WITH used AS (UPDATE grants SET last_used_at = now() WHERE id = $2)
             INSERT INTO refresh_tokens (token_hash, grant_id, user_id, expires_at) VALUES ($1, $2, $3, $4)",
            new.as_slice(),
            claimed.grant_id,
            claimed.user_id,
            new_expires_at.as_offset_date_time(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(true)
    }

    /// Ends a grant: every token that came of it is dead from the next request on.
    ///
    /// # Errors
    /// As every statement.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<(), Error> {
        sqlx::query!("UPDATE grants SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", id.0)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(storage_error)
    }

    /// Ends one access token.
    ///
    /// # Errors
    /// As every statement.
    pub async fn revoke_access_token(&self, id: TokenId, user_id: UserId, expires_at: Timestamp) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO revoked_access_tokens (id, user_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            id.0,
            user_id.0,
            expires_at.as_offset_date_time(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Says whether the bearer of a verified access token is still welcome; `None` when the token, its grant or
    /// the account has ended.
    ///
    /// # Errors
    /// As every statement: with the database away the answer is an error, never a yes (REV-07).
    pub async fn bearer_state(
        &self,
        grant_id: GrantId,
        user_id: UserId,
        client_id: &str,
        token_id: TokenId,
    ) -> Result<Option<BearerState>, Error> {
        let row = sqlx::query!(
            "SELECT u.is_superuser, g.client_id, c.scopes AS client_scopes FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.id = g.client_id
             WHERE g.id = $1 AND g.user_id = $2 AND coalesce(c.metadata_url, c.id::text) = $3 AND g.revoked_at IS NULL AND u.is_active
               AND NOT EXISTS (SELECT 1 FROM revoked_access_tokens r WHERE r.id = $4)",
            grant_id.0,
            user_id.0,
            client_id,
            token_id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(row.map(|row| BearerState {
            client_id: ClientId(row.client_id),
            client_scopes: Scopes::from_words(&row.client_scopes),
            is_superuser: row.is_superuser,
        }))
    }

    /// Whether a token that was let in before to read memories still would be.
    ///
    /// # Errors
    /// As every statement.
    pub async fn is_welcome(&self, grant_id: GrantId, user_id: UserId, token_id: TokenId) -> Result<bool, Error> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.id = g.client_id
                              WHERE g.id = $1 AND g.user_id = $2 AND g.revoked_at IS NULL AND u.is_active
                                AND 'memories:read' = ANY (c.scopes))
                  AND NOT EXISTS (SELECT FROM revoked_access_tokens r WHERE r.id = $3) AS "is_welcome!""#,
            grant_id.0,
            user_id.0,
            token_id.0,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// Deletes what has ended long enough ago that nobody can ask for it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn purge_ended(&self) -> Result<(), Error> {
        sqlx::query!(
            "WITH tokens AS (DELETE FROM revoked_access_tokens WHERE expires_at < now() - interval '1 hour'),
                  keys AS (DELETE FROM signing_keys WHERE verifies_until < now()),
                  limits AS (DELETE FROM rate_limits WHERE window_end < now()),
                  signed_out AS (DELETE FROM sessions WHERE expires_at < now() OR last_used_at < now() - interval '1 day'),
                  unused AS (DELETE FROM mcp_sessions WHERE last_used_at < now() - interval '1 day'),
                  questions AS (DELETE FROM authorization_requests WHERE expires_at < now()),
                  codes AS (DELETE FROM authorization_codes WHERE grant_id IS NULL AND expires_at < now() - interval '1 hour'),
                  calls AS (DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'),
                  uploads AS (DELETE FROM imports WHERE updated_at < now() - CASE WHEN run_after = 'infinity' THEN interval '1 day' ELSE interval '30 days' END),
                  deletions AS (DELETE FROM memory_deletions WHERE deleted_at < now() - interval '2 hours'),
                  jobs AS (DELETE FROM embedding_jobs WHERE model <> '' AND created_at < now() - interval '7 days'),
                  asked AS (DELETE FROM persona_questions WHERE asked_at < now() - interval '400 days'),
                  acts AS (DELETE FROM audit_events WHERE happened_at < now() - interval '400 days')
             DELETE FROM grants WHERE coalesce(revoked_at, expires_at) < now() - interval '2 days'",
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
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
               AND NOT EXISTS (SELECT 1 FROM authorization_requests r WHERE r.client_id = c.id)",
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
            &used
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?
        .rows_affected();
        transaction.commit().await.map_err(storage_error)?;
        Ok(gone)
    }
}
