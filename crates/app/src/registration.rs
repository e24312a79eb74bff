//! Clients that register themselves (RFC 7591).

use futures_util::future::BoxFuture;
use picard_auth::registration::{self, Policy};
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};
use picard_domain::{ClientAuthMethod, ClientId, ClientOrigin};
use picard_storage::audit::NewAuditEvent;
use picard_storage::clients::Client;
use serde_json::Value;

use crate::{App, TokenError};

/// A client that has registered itself; the secret is shown this once.
#[derive(Debug)]
pub struct SelfRegisteredClient {
    /// The client.
    pub client: Client,
    /// Its secret; `None` for a public client.
    pub secret: Option<SecretString>,
    /// How it is to prove who it is.
    pub auth_method: ClientAuthMethod,
    /// When it was registered, in seconds since 1970.
    pub issued_at: i64,
}

impl App {
    /// Who may register clients without an administrator.
    #[must_use]
    pub fn registration_policy(&self) -> Policy {
        self.0.settings.registration
    }

    /// Registers a client that came by itself.
    ///
    /// # Errors
    /// As [`registration::check`]; [`picard_domain::Error::RateLimited`].
    pub fn register_self<'a>(
        &'a self,
        document: Value,
        address: &'a str,
    ) -> BoxFuture<'a, Result<SelfRegisteredClient, TokenError>> {
        Box::pin(async move {
            self.count_request("register", "", address).await?;
            let checked = registration::check(document, self.registration_policy())?;
            let secret = (checked.auth_method != ClientAuthMethod::None).then(random_token);
            let client = Client {
                id: ClientId::generate(),
                name: checked.name,
                redirect_uris: checked.redirect_uris,
                scopes: checked.scopes,
                secret_hash: secret.as_ref().map(|secret| hash_token(secret.expose_secret())),
                origin: ClientOrigin::Registration,
                auth_method: checked.is_auth_method_chosen.then_some(checked.auth_method),
                metadata_url: None,
                default_scopes: Some(checked.default_scopes),
            };
            self.0.store.create_client(&client).await?;
            self.record(NewAuditEvent {
                event: "client_registered_itself",
                client_id: Some(client.id),
                address: Some(address),
                ..Default::default()
            })
            .await?;
            tracing::info!(event = "client_registered_itself", client.id = %client.id, "A client registered itself.");
            let issued_at = self.0.clock.now().unix_seconds();
            Ok(SelfRegisteredClient { client, secret, auth_method: checked.auth_method, issued_at })
        })
    }
}
