//! What people are asked on the consent page, what they have allowed, and the codes that come of it.

use picard_domain::{AuthorizationRequestId, ClientId, Error, Scopes, Timestamp, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// What a signed-in person is being asked; checked, and from now on what counts.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The request.
    pub id: AuthorizationRequestId,
    /// Who is asked.
    pub user_id: UserId,
    /// Who asks.
    pub client_id: ClientId,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Whether the client named that address itself.
    pub redirect_uri_given: bool,
    /// What it asks for.
    pub scopes: Scopes,
    /// The client's state, percent-encoded as it came.
    pub state: Option<String>,
    /// The PKCE challenge (S256).
    pub code_challenge: String,
    /// Whom the tokens will be for.
    pub audience: String,
    /// When the question is no longer open.
    pub expires_at: Timestamp,
}

/// A code to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewCode<'a> {
    /// SHA-256 of the code.
    pub hash: &'a [u8; 32],
    /// When it ends.
    pub expires_at: Timestamp,
    /// The host that the consent is remembered for.
    pub redirect_host: &'a str,
}

struct RequestRow {
    id: Uuid,
    user_id: Uuid,
    client_id: Uuid,
    redirect_uri: String,
    redirect_uri_given: bool,
    scopes: Vec<String>,
    state: Option<String>,
    code_challenge: String,
    audience: String,
    expires_at: time::OffsetDateTime,
}

impl From<RequestRow> for AuthorizationRequest {
    fn from(row: RequestRow) -> Self {
        Self {
            id: AuthorizationRequestId(row.id),
            user_id: UserId(row.user_id),
            client_id: ClientId(row.client_id),
            redirect_uri: row.redirect_uri,
            redirect_uri_given: row.redirect_uri_given,
            scopes: Scopes::from_words(&row.scopes),
            state: row.state,
            code_challenge: row.code_challenge,
            audience: row.audience,
            expires_at: row.expires_at.into(),
        }
    }
}

impl Store {
    /// Stores what the person of this session is asked.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_authorization_request(&self, session: &[u8; 32], request: &AuthorizationRequest) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO authorization_requests
                 (id, session_hash, user_id, client_id, redirect_uri, redirect_uri_given, scopes, state, code_challenge, audience, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            request.id.0,
            session.as_slice(),
            request.user_id.0,
            request.client_id.0,
            request.redirect_uri,
            request.redirect_uri_given,
            &request.scopes.to_words(),
            request.state,
            request.code_challenge,
            request.audience,
            request.expires_at.as_offset_date_time(),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Takes an open question of this session away: of any number of answers one gets it (LOG-14, LOG-16).
    ///
    /// # Errors
    /// As every statement.
    pub async fn take_authorization_request(
        &self,
        session: &[u8; 32],
        id: AuthorizationRequestId,
    ) -> Result<Option<AuthorizationRequest>, Error> {
        sqlx::query_as!(
            RequestRow,
            "DELETE FROM authorization_requests WHERE id = $1 AND session_hash = $2 AND expires_at > now()
             RETURNING id, user_id, client_id, redirect_uri, redirect_uri_given, scopes, state, code_challenge, audience, expires_at",
            id.0,
            session.as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(AuthorizationRequest::from))
        .map_err(storage_error)
    }

    /// Stores the code for a request that was allowed, and remembers the consent, in one transaction.
    ///
    /// # Errors
    /// As every statement.
    pub async fn allow(&self, request: &AuthorizationRequest, code: NewCode<'_>) -> Result<(), Error> {
        let scopes = request.scopes.to_words();
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        sqlx::query!(
            "INSERT INTO consents (user_id, client_id, redirect_host, scopes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            request.user_id.0,
            request.client_id.0,
            code.redirect_host,
            &scopes,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        sqlx::query!(
            "UPDATE consents SET updated_at = now(),
                 scopes = (SELECT array_agg(DISTINCT s ORDER BY s) FROM unnest(consents.scopes || $4) AS s)
             WHERE user_id = $1 AND client_id = $2 AND redirect_host = $3",
            request.user_id.0,
            request.client_id.0,
            code.redirect_host,
            &scopes,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        insert_code(&mut transaction, request, &code, &scopes).await?;
        transaction.commit().await.map_err(storage_error)
    }

    /// What the person has allowed the client for this host; with no host, for all hosts together. Empty: nothing.
    ///
    /// # Errors
    /// As every statement.
    pub async fn consented(&self, user_id: UserId, client_id: ClientId, redirect_host: Option<&str>) -> Result<Scopes, Error> {
        let words = sqlx::query_scalar!(
            r#"SELECT DISTINCT s AS "s!" FROM consents c CROSS JOIN LATERAL unnest(c.scopes) AS s
               WHERE c.user_id = $1 AND c.client_id = $2 AND ($3::text IS NULL OR c.redirect_host = $3)"#,
            user_id.0,
            client_id.0,
            redirect_host,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(Scopes::from_words(&words))
    }
}

async fn insert_code(
    connection: &mut PgConnection,
    request: &AuthorizationRequest,
    code: &NewCode<'_>,
    scopes: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO authorization_codes
             (code_hash, user_id, client_id, redirect_uri, redirect_uri_given, scopes, code_challenge, audience, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        code.hash.as_slice(),
        request.user_id.0,
        request.client_id.0,
        request.redirect_uri,
        request.redirect_uri_given,
        scopes,
        request.code_challenge,
        request.audience,
        code.expires_at.as_offset_date_time(),
    )
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(storage_error)
}
