//! Authorization codes. A code is only ever looked up by its hash.

use picard_domain::{ClientId, Error, GrantId, Scopes, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// A code and the state of everything that it depends on.
#[derive(Debug, Clone)]
pub struct AuthorizationCode {
    /// Who consented.
    pub user_id: UserId,
    /// Who may redeem it.
    pub client_id: ClientId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the client named that address itself.
    pub redirect_uri_given: bool,
    /// What was allowed.
    pub scopes: Scopes,
    /// The PKCE challenge (S256).
    pub code_challenge: String,
    /// Whom the tokens will be for.
    pub audience: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often its client has tried in vain.
    pub failed_tries: i16,
    /// What it was exchanged for.
    pub grant_id: Option<GrantId>,
    /// Whether the person's account may be used.
    pub is_user_active: bool,
}

struct CodeRow {
    user_id: Uuid,
    client_id: Uuid,
    redirect_uri: String,
    redirect_uri_given: bool,
    scopes: Vec<String>,
    code_challenge: String,
    audience: String,
    expires_at: time::OffsetDateTime,
    failed_tries: i16,
    grant_id: Option<Uuid>,
    is_user_active: bool,
}

impl From<CodeRow> for AuthorizationCode {
    fn from(row: CodeRow) -> Self {
        Self {
            user_id: UserId(row.user_id),
            client_id: ClientId(row.client_id),
            redirect_uri: row.redirect_uri,
            redirect_uri_given: row.redirect_uri_given,
            scopes: Scopes::from_words(&row.scopes),
            code_challenge: row.code_challenge,
            audience: row.audience,
            expires_at: row.expires_at.into(),
            failed_tries: row.failed_tries,
            grant_id: row.grant_id.map(GrantId),
            is_user_active: row.is_user_active,
        }
    }
}

/// The first refresh token of a grant, and what the grant's lifetime is.
#[derive(Debug, Clone, Copy)]
pub struct NewFamily<'a> {
    /// The grant.
    pub grant_id: GrantId,
    /// When it ends, however often it is refreshed.
    pub expires_at: Timestamp,
    /// SHA-256 of the first refresh token.
    pub refresh_token_hash: &'a [u8; 32],
    /// When that token ends if it is not used.
    pub refresh_token_expires_at: Timestamp,
}

impl Store {
    /// Looks a code up without using it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn authorization_code(&self, code_hash: &[u8; 32]) -> Result<Option<AuthorizationCode>, Error> {
        sqlx::query_as!(
            CodeRow,
            "SELECT c.user_id, c.client_id, c.redirect_uri, c.redirect_uri_given, c.scopes, c.code_challenge, c.audience, c.expires_at,
                    c.failed_tries, c.grant_id, u.is_active AS is_user_active
             FROM authorization_codes c JOIN users u ON u.id = c.user_id WHERE c.code_hash = $1",
            code_hash.as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(AuthorizationCode::from))
        .map_err(storage_error)
    }

    /// Uses a code up and stores the grant and its first refresh token; `false` when somebody else was faster or the
    /// code has ended. Claim and mint are one transaction: of any number of parallel calls one succeeds (TOK-03).
    ///
    /// # Errors
    /// As every statement.
    pub async fn redeem_code(&self, code_hash: &[u8; 32], scopes: &Scopes, family: NewFamily<'_>) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        // The code's row is locked first, so that those who come second wait and then see what it became.
        let claimed = sqlx::query!(
            "SELECT user_id, client_id, audience FROM authorization_codes
             WHERE code_hash = $1 AND grant_id IS NULL AND expires_at > now() AND failed_tries < 5 FOR UPDATE",
            code_hash.as_slice(),
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let Some(claimed) = claimed else { return Ok(false) };
        sqlx::query!(
            "WITH family AS (
                 INSERT INTO grants (id, user_id, client_id, scopes, audience, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
             )
             INSERT INTO refresh_tokens (token_hash, grant_id, user_id, expires_at) VALUES ($7, $1, $2, $8)",
            family.grant_id.0,
            claimed.user_id,
            claimed.client_id,
            &scopes.to_words(),
            claimed.audience,
            family.expires_at.as_offset_date_time(),
            family.refresh_token_hash.as_slice(),
            family.refresh_token_expires_at.as_offset_date_time(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        sqlx::query!(
            "UPDATE authorization_codes SET consumed_at = now(), grant_id = $2 WHERE code_hash = $1",
            code_hash.as_slice(),
            family.grant_id.0,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(true)
    }

    /// Counts a try in vain; five burn the code.
    ///
    /// # Errors
    /// As every statement.
    pub async fn count_failed_redemption(&self, code_hash: &[u8; 32]) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE authorization_codes SET failed_tries = failed_tries + 1 WHERE code_hash = $1 AND failed_tries < 5",
            code_hash.as_slice(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }
}
