//! Who sends a bearer token.

use futures_util::future::BoxFuture;
use picard_domain::{Caller, Door, Error};
use time::OffsetDateTime;

use crate::App;
use crate::patience::{LONGEST_LOOK, within};

impl App {
    /// Verifies an access token (RFC 6750) and looks up whether its grant, its person and itself still stand.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for any token that does not hold; [`Error::Unavailable`] with the database away, never a yes.
    pub fn authenticate_bearer<'a>(&'a self, token: &'a str, door: Door) -> BoxFuture<'a, Result<Caller, Error>> {
        Box::pin(within(LONGEST_LOOK, async move {
            let claims = self.verify_access_token(token).await?.map_err(|_| Error::Unauthorized)?;
            let state = self
                .0
                .store
                .bearer_state(claims.grant_id, claims.user_id, &claims.client_id, claims.token_id)
                .await?
                .ok_or(Error::Unauthorized)?;
            Ok(Caller {
                user_id: claims.user_id,
                client_id: state.client_id,
                grant_id: claims.grant_id,
                token_id: claims.token_id,
                expires_at: OffsetDateTime::from_unix_timestamp(claims.expires_at).map_err(|_| Error::Unauthorized)?.into(),
                // Scopes that an administrator has taken from the client end with the next request.
                scopes: claims.scopes.intersection(&state.client_scopes),
                is_superuser: state.is_superuser,
                door,
            })
        }))
    }
}
