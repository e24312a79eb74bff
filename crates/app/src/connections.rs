//! The clients that a person is connected to, and how connections end.

use futures_util::future::BoxFuture;
use picard_domain::{Caller, ClientId, Error, Scope, UserId};
use picard_storage::audit::NewAuditEvent;
use picard_storage::connections::Connection;

use crate::{Administrator, App, Session};

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
            self.end_connection(caller.user_id, client_id).await
        })
    }

    /// The same two for somebody who is signed in at the server's own pages, where everything that is theirs is open.
    ///
    /// # Errors
    /// As every statement.
    pub fn connections_of<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Vec<Connection>, Error>> {
        Box::pin(async move { self.0.store.connections(session.person.user_id).await })
    }

    /// Ends every token of the client for the person who is signed in.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the person is not connected to that client.
    pub fn disconnect_from<'a>(&'a self, session: &'a Session, client_id: ClientId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.end_connection(session.person.user_id, client_id).await })
    }

    async fn end_connection(&self, user_id: UserId, client_id: ClientId) -> Result<(), Error> {
        if self.0.store.revoke_grants(Some(user_id), Some(client_id)).await? == 0 {
            return Err(Error::NotFound);
        }
        self.record(NewAuditEvent {
            event: "connection_ended",
            user_id: Some(user_id),
            client_id: Some(client_id),
            ..Default::default()
        })
        .await?;
        tracing::info!(event = "connection_ended", user.id = %user_id, client.id = %client_id, "A person ended a connection.");
        Ok(())
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
            self.record(NewAuditEvent {
                event: "tokens_revoked",
                user_id: Some(administrator.user_id),
                subject_id: user_id,
                client_id,
                details: serde_json::json!({ "count": revoked }),
                ..Default::default()
            })
            .await?;
            tracing::warn!(
                event = "tokens_revoked", user.id = %administrator.user_id, count = revoked, "An administrator ended tokens."
            );
            Ok(revoked)
        })
    }
}
