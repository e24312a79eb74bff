//! The Picard server as this application sees it: HTTP and nothing else.
//!
//! Nothing is retried here and no redirect is followed; every call has a time limit and a size limit, so that a
//! server that hangs or talks too much costs one readable error page.

mod administration;
mod answer;
mod answers;
mod authorization;
mod figures;
mod memories;
mod people;
mod personas;
mod registration;
mod tokens;
mod tools;
mod transfers;

use std::time::Duration;

use picard_crypto::{ExposeSecret, SecretString};

pub(crate) use administration::{
    Account, AccountPage, Administrator, Client, ClientPage, Deployment, NewSecret, RegisteredClient,
};
pub(crate) use answer::Outage;
pub(crate) use answers::{AnswerEvent, AnswerStream};
pub(crate) use authorization::Metadata;
pub(crate) use figures::{ActivityPage, Application, Connections, Event, Figures};
pub(crate) use memories::{Hit, Memory, MemoryPage, Permission, SearchHits, SharedWith, Version, VersionPage};
pub(crate) use people::{Directory, DirectoryEntry, Group, GroupPage, ListedPersona, Profile};
pub(crate) use personas::{Asker, Blocks, Persona, PersonaAnswer, PersonaPage, Question, QuestionPage, UsedMemory};
pub(crate) use registration::RegistrationFailure;
pub(crate) use tokens::{Grant, MintRequest, TokenError};
pub(crate) use tools::{Call, FieldMessage, ToolAnswer, ToolError};
pub(crate) use transfers::{ImportProgress, ImportStarted, RowError};

/// What this application shows the server to prove who it is.
#[derive(Debug, Clone)]
pub(crate) struct ClientCredentials {
    id: String,
    secret: SecretString,
}

impl ClientCredentials {
    pub(crate) fn new(id: &str, secret: SecretString) -> Self {
        Self { id: id.to_owned(), secret }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// Talks to one Picard server.
#[derive(Debug, Clone)]
pub(crate) struct ServerClient {
    http: reqwest::Client,
    base: String,
}

impl ServerClient {
    /// Prepares the one HTTP client of the program; `base` has no trailing slash.
    #[expect(clippy::disallowed_methods, reason = "the one client, with its limits")]
    pub(crate) fn new(base: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(20))
            // A redirect would carry credentials to another address.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("picard-web/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Whether the server answers at all and says that it is well.
    pub(crate) async fn is_healthy(&self) -> bool {
        let request = self.http.get(self.url("/health")).timeout(Duration::from_secs(2));
        request.send().await.is_ok_and(|response| response.status().is_success())
    }
}
