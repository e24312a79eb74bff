//! The things one can do with Picard. Every method takes the caller first and decides by itself whether they may:
//! this is the only place where a rule is applied, so REST, MCP and the command line cannot differ.
//!
//! It must not know HTTP or MCP, and no SQL: it fetches, asks the rules in `auth` and `domain`, stores, answers.
//!
//! Start with [`App`], then `memories.rs` for a tool from command to row, and [`catalogue`] for all tools.

mod accounts;
mod activity;
mod acts;
mod administration;
mod aggregate;
mod answers;
pub mod arguments;
mod authorize;
mod bearer;
mod bursts;
pub mod catalogue;
mod changes;
mod client_documents;
mod clients;
mod codes;
mod complete;
mod confirm;
mod connections;
mod cursor;
mod embedding;
mod export;
mod groups;
mod health;
mod import;
mod introspection;
pub mod json;
mod limits;
mod mcp_sessions;
mod memories;
mod patience;
mod people;
mod personas;
mod profile;
mod query_vectors;
mod recollection;
mod reembedding;
mod registration;
mod search;
mod sign_in;
mod sign_up;
mod signing_keys;
mod subscription;
mod tally;
mod tokens;
mod tools;
mod user_tokens;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_auth::access_token::Issuer;
use picard_crypto::{KeyRing, PasswordHasher};
use picard_domain::{Clock, Error};
use picard_embedding::Embedder;
use picard_llm::Llm;
use picard_storage::Store;

use signing_keys::SigningKeys;

pub use accounts::{AdministratorOutcome, NewAdministrator};
pub use activity::ActivityPage;
pub use acts::keep_acts;
pub use administration::{Administrator, RegisterClient, RegisteredClient};
pub use answers::Pieces;
pub use authorize::{AskingParty, Authorization, Question};
pub use changes::{Hearing, tell_changes};
pub use client_documents::DocumentHosts;
pub use clients::ClientPage;
pub use codes::CodeExchange;
pub use complete::{Completing, Proposals};
pub use confirm::Confirmation;
pub use embedding::EmbeddingWorker;
pub use export::ExportFormat;
pub use groups::GroupPage;
pub use health::{Condition, Health};
pub use import::{Import, ImportFormat, ImportId, ImportMemory, ImportWorker};
pub use introspection::{AccessTokenFacts, ActiveToken};
pub use limits::Limits;
pub use mcp_sessions::{SessionFound, SessionHearing, SessionKey, SessionNews};
pub use people::PeoplePage;
pub use personas::QuestionPage;
pub use picard_auth::registration::Policy as RegistrationPolicy;
pub use picard_storage::analytics::{Analytics, AnswerFigure, Named};
pub use picard_storage::audit::{AuditEvent, AuditFilter};
pub use picard_storage::clients::Client;
pub use picard_storage::connections::Connection;
pub use picard_storage::key_rotation::MissingKey;
pub use picard_storage::people::Person;
pub use picard_storage::profiles::{ListedPerson, Profile};
pub use picard_storage::questions::Question as PersonaQuestion;
pub use picard_storage::statistics::Statistics;
pub use profile::{ChangeProfile, DirectoryPage};
pub use reembedding::Reembedding;
pub use registration::SelfRegisteredClient;
pub use sign_in::{SESSION_LIFETIME, Session};
pub use sign_up::{SignUp, SignUpError};
pub use signing_keys::RELOAD_EVERY;
pub use subscription::{Ended, Subscription, Watch, Watched};
pub use tally::{Count, Counted};
pub use tokens::{IssuedTokens, RefreshRequest, TokenError};
pub use tools::{CallOptions, Progress};
pub use user_tokens::UserTokenRequest;

/// What of the rules an operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's public URL without a slash at the end.
    pub public_url: String,
    /// How long a used refresh token that comes back is taken for a double click instead of a theft.
    pub refresh_leeway: Duration,
    /// How long a write waits for its embedding before it is left to the worker.
    pub embedding_budget: Duration,
    /// The most passwords that are hashed at the same time.
    pub parallel_hashes: usize,
    /// How often somebody may do something.
    pub limits: Limits,
    /// Whether people can make accounts for themselves.
    pub is_sign_up_open: bool,
    /// Who may register clients without an administrator.
    pub registration: RegistrationPolicy,
    /// A figure of `aggregate_memories` that rests on fewer people is not given.
    pub aggregate_min_people: u32,
    /// Whether the owner of a persona is shown what was asked.
    pub keeps_questions: bool,
    /// Whose metadata documents are read.
    pub document_hosts: DocumentHosts,
}

/// What everything one can do needs; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    store: Store,
    embedder: Arc<dyn Embedder>,
    llm: Arc<dyn Llm>,
    spent: answers::Spent,
    bursts: bursts::Bursts,
    tally: tally::Tally,
    query_vectors: query_vectors::QueryVectors,
    embedding: embedding::State,
    acts: acts::ActLog,
    changes: changes::Changes,
    subscriptions: subscription::Open,
    /// Wakes the worker of imports.
    imports: tokio::sync::Notify,
    clock: Clock,
    issuer: Issuer,
    signing_keys: SigningKeys,
    passwords: PasswordHasher,
    cursors: cursor::Cursors,
    questions: confirm::Questions,
    document_reader: client_documents::DocumentReader,
    settings: Settings,
}

impl App {
    /// Puts the application together; makes the first signing key if there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away, [`Error::Internal`] when the stored keys do not open.
    pub fn start<'a>(
        store: Store,
        key_ring: &'a KeyRing,
        embedder: Arc<dyn Embedder>,
        llm: Arc<dyn Llm>,
        clock: Clock,
        settings: Settings,
    ) -> BoxFuture<'a, Result<Self, Error>> {
        Box::pin(async move {
            let signing_keys = SigningKeys::load(&store).await?;
            Ok(Self(Arc::new(Parts {
                store,
                query_vectors: query_vectors::QueryVectors::new(embedder.dimensions()),
                embedder,
                llm,
                spent: answers::Spent::default(),
                bursts: bursts::Bursts::default(),
                tally: tally::Tally::default(),
                embedding: embedding::State::default(),
                acts: acts::ActLog::default(),
                changes: changes::Changes::default(),
                subscriptions: subscription::Open::default(),
                imports: tokio::sync::Notify::new(),
                clock,
                issuer: Issuer { url: settings.public_url.clone() },
                signing_keys,
                passwords: PasswordHasher::new(settings.parallel_hashes),
                cursors: cursor::Cursors::new(key_ring),
                questions: confirm::Questions::new(key_ring),
                document_reader: client_documents::DocumentReader::new()?,
                settings,
            })))
        })
    }

    /// The time by the application's clock.
    #[must_use]
    pub fn now(&self) -> picard_domain::Timestamp {
        self.0.clock.now()
    }

    /// The server's public URL: the issuer of tokens.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.settings.public_url
    }

    /// Deletes tokens and counters that have ended.
    ///
    /// # Errors
    /// As every statement.
    pub fn purge_ended<'a>(&'a self) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.0.store.purge_ended().await?;
            let gone = self.0.store.purge_unused_clients().await?;
            if gone > 0 {
                tracing::info!(count = gone, "Clients that registered themselves and were not used for a day were deleted.");
            }
            Ok(())
        })
    }

    /// Keeps what was read, waits for every statement and closes the database's connections.
    pub fn close<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.keep_acts_now().await;
            self.0.store.close().await;
        })
    }
}
