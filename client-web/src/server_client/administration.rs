//! What only administrators of the server may do, with their name and password.

use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use super::ServerClient;
use super::answer::{Answer, Outage};
use super::tools::{Call, ToolError};

/// Who administers the server.
#[derive(Debug, Clone)]
pub(crate) struct Administrator {
    name: String,
    password: SecretString,
}

impl Administrator {
    pub(crate) fn new(name: &str, password: SecretString) -> Self {
        Self { name: name.to_owned(), password }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn password(&self) -> &SecretString {
        &self.password
    }
}

/// How much there is of everything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Deployment {
    pub(crate) users: i64,
    pub(crate) active_users: i64,
    pub(crate) superusers: i64,
    pub(crate) clients: i64,
    pub(crate) self_registered_clients: i64,
    pub(crate) grants: i64,
    pub(crate) memories: i64,
    pub(crate) public_memories: i64,
    pub(crate) embedding_backlog: i64,
}

/// An account of the server.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    #[serde(default)]
    pub(crate) email: Option<String>,
    pub(crate) is_active: bool,
    pub(crate) is_superuser: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// Some accounts, the newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountPage {
    pub(crate) users: Vec<Account>,
    pub(crate) next_cursor: Option<String>,
}

/// A registered application.
#[derive(Debug, Deserialize)]
pub(crate) struct Client {
    pub(crate) client_id: Uuid,
    pub(crate) client_name: String,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) is_confidential: bool,
}

/// Some applications, the newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct ClientPage {
    pub(crate) clients: Vec<Client>,
    pub(crate) next_cursor: Option<String>,
}

/// An application that was just registered or changed.
#[derive(Debug, Deserialize)]
pub(crate) struct RegisteredClient {
    pub(crate) client_id: Uuid,
    /// Only if it has got a new one.
    #[serde(default)]
    pub(crate) client_secret: Option<SecretString>,
}

/// A secret that is shown once.
#[derive(Debug, Deserialize)]
pub(crate) struct NewSecret {
    pub(crate) client_secret: SecretString,
}

impl ServerClient {
    /// Makes a call as an administrator.
    pub(crate) async fn administer<T: DeserializeOwned>(&self, who: &Administrator, call: &Call) -> Result<T, ToolError> {
        let request = self.request(call).basic_auth(&who.name, Some(who.password.expose_secret()));
        Self::answered(request).await
    }

    /// The same for who looks at the answer's status.
    pub(super) async fn administrator_answer(&self, who: &Administrator, call: &Call) -> Result<Answer, Outage> {
        Answer::to(self.request(call).basic_auth(&who.name, Some(who.password.expose_secret()))).await
    }
}
