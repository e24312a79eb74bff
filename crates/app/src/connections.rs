//! The clients that a person is connected to, and how connections end.

use futures_util::future::BoxFuture;
use picard_domain::{Caller, ClientId, Error, Scope, UserId};
use picard_storage::connections::Connection;

use crate::{Administrator, App};

impl App {
    /// The clients that the caller has given something that still holds (REV-08).
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`.
    pub fn connections<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Vec<Connection>, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.connections(caller.user_id).await
        })
    }

    /// Ends every token of the client for the caller, at once. A client ends its own connection with any token; to end
    /// another's it needs `memories:write`.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`] when the caller is not connected to that client.
    pub fn disconnect<'a>(&'a self, caller: &'a Caller, client_id: ClientId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if client_id != caller.client_id {
                caller.require(Scope::Write)?;
            }
            if self.0.store.revoke_grants(Some(caller.user_id), Some(client_id)).await? == 0 {
                return Err(Error::NotFound);
            }
            tracing::info!(event = "connection_ended", user.id = %caller.user_id, client.id = %client_id, "A person ended a connection.");
            Ok(())
        })
    }

    /// Ends all tokens of a person, of a client, or of a client for a person; gives back how many grants ended.
    ///
    /// # Errors
    /// [`Error::Invalid`] when neither is named.
    pub fn revoke_tokens<'a>(
        &'a self,
        administrator: Administrator,
        user_id: Option<UserId>,
        client_id: Option<ClientId>,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            if user_id.is_none() && client_id.is_none() {
                return Err(Error::invalid("user_id", "or client_id must be given"));
            }
            let revoked = self.0.store.revoke_grants(user_id, client_id).await?;
            tracing::warn!(
                event = "tokens_revoked", user.id = %administrator.user_id, count = revoked, "An administrator ended tokens."
            );
            Ok(revoked)
        })
    }
}
