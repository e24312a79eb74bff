//! What a token is worth now (RFC 7662).

use futures_util::future::BoxFuture;
use picard_auth::client::ClientCredentials;
use picard_crypto::hash_token;
use picard_domain::{Scopes, TokenId, UserId};

use crate::{App, TokenError};

/// A token that holds, told to the client that it was issued to.
#[derive(Debug)]
pub struct ActiveToken {
    /// What it allows.
    pub scopes: Scopes,
    /// The client, as it names itself.
    pub client_id: String,
    /// The person.
    pub user_id: UserId,
    /// Whom it is for.
    pub audience: String,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
    /// What only an access token has.
    pub access: Option<AccessTokenFacts>,
}

/// What only an access token has.
#[derive(Debug)]
pub struct AccessTokenFacts {
    /// The token's id.
    pub token_id: TokenId,
    /// When it was issued, in seconds since 1970.
    pub issued_at: i64,
}

impl App {
    /// Says what a token of this client is worth; `None` for one that does not hold, and for every other client's (REV-04).
    ///
    /// # Errors
    /// `invalid_client`; with the database away no answer, never a yes.
    pub fn introspect<'a>(
        &'a self,
        credentials: &'a ClientCredentials,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<ActiveToken>, TokenError>> {
        Box::pin(async move {
            let client = self.authenticate_client(credentials).await?;
            let now = self.0.clock.now();
            if let Some(stored) = self.0.store.refresh_token(&hash_token(token)).await? {
                let holds = stored.client_id == client.id
                    && stored.consumed_at.is_none()
                    && !stored.is_revoked
                    && stored.is_user_active
                    && stored.expires_at > now
                    && stored.grant_expires_at > now;
                return Ok(holds.then(|| ActiveToken {
                    scopes: stored.scopes.intersection(&client.scopes),
                    client_id: client.public_id(),
                    user_id: stored.user_id,
                    audience: self.0.issuer.url.clone(),
                    expires_at: stored.expires_at.min(stored.grant_expires_at).unix_seconds(),
                    access: None,
                }));
            }
            let Ok(claims) = self.verify_access_token(token).await? else {
                return Ok(None);
            };
            if claims.client_id != client.public_id() {
                return Ok(None);
            }
            let state = self.0.store.bearer_state(claims.grant_id, claims.user_id, &claims.client_id, claims.token_id).await?;
            Ok(state.map(|state| ActiveToken {
                scopes: claims.scopes.intersection(&state.client_scopes),
                client_id: claims.client_id,
                user_id: claims.user_id,
                audience: claims.audience,
                expires_at: claims.expires_at,
                access: Some(AccessTokenFacts { token_id: claims.token_id, issued_at: claims.issued_at }),
            }))
        })
    }
}
