//! Starting and stopping the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use futures_util::future::BoxFuture;
use picard_app::{AdministratorOutcome, App, Hearing, Limits, MissingKey, NewAdministrator, RegistrationPolicy, Settings};
use picard_crypto::SecretString;
use picard_domain::{Clock, Error};
use picard_embedding::{Embedder, LocalModel, OpenAiCompatible, OpenAiSettings};
use picard_mcp::{McpDoor, McpMode, McpSettings, Refuse};
use picard_storage::{DatabaseSettings, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bearer::{Resource, refuse};
use crate::metrics::Metrics;
use crate::state::AppState;
use crate::tasks::Tasks;
use crate::{Config, DynamicRegistration, McpModeName, crowd, llm, openapi, router};

/// How long a start waits for a database that is away.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// How long a stop waits for requests that are under way.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot work; every problem by the variable's name.
    #[error("the configuration is wrong:\n  {}", .0.join("\n  "))]
    Config(Vec<String>),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}. Stop the program that uses it, or choose another with SERVER_ADDR")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The local model cannot be loaded.
    #[error("the local model in {} cannot be loaded: {reason}. Run `picard fetch` to download it again", .folder.display())]
    Model {
        /// Where it should be.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database or what is in it.
    #[error("{message}")]
    Database {
        /// What is wrong and what to do.
        message: String,
    },
}

/// Where the database is, for who has to look why it is not there; without its password (FLT-03).
fn away(settings: &DatabaseSettings, error: &Error) -> StartError {
    let named = settings.address().map_or_else(|_| String::new(), |address| format!("{address}: "));
    StartError::Database { message: format!("{named}{}", database_error(error)) }
}

fn database_error(error: &Error) -> StartError {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(" ({cause})"));
    let message = match error {
        Error::Unavailable { .. } => format!("the database named by DATABASE_URL does not answer{cause}"),
        Error::Internal(_) => format!("the database named by DATABASE_URL cannot be used{cause}"),
        other => other.to_string(),
    };
    StartError::Database { message }
}

/// A server that runs until it is stopped.
pub struct RunningServer {
    address: SocketAddr,
    public_url: String,
    /// Cancelled as soon as it is told to stop: requests are still taken, and a balancer sees that it should send no more.
    leaving: CancellationToken,
    /// For how long that goes on.
    drain: Duration,
    stop: CancellationToken,
    tasks: Tasks,
    serving: JoinHandle<std::io::Result<()>>,
    app: App,
    mcp: McpDoor,
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RunningServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address that clients use, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Resolves when the server ends by itself, which it never should.
    pub fn wait<'a>(&'a mut self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let outcome = (&mut self.serving).await;
            tracing::error!(?outcome, "The server ended by itself.");
        })
    }

    /// Says that it is not ready, for so long as the configuration gives a balancer to notice; then takes no new
    /// requests, finishes those under way, and closes the database's connections (OPS-06).
    ///
    /// # Errors
    /// None today; a stop that takes too long is cut off and logged.
    pub fn stop(mut self) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async move {
            self.leaving.cancel();
            if !self.drain.is_zero() && !self.serving.is_finished() {
                tokio::time::sleep(self.drain).await;
            }
            self.mcp.stop();
            self.stop.cancel();
            if !self.serving.is_finished() && tokio::time::timeout(STOP_PATIENCE, &mut self.serving).await.is_err() {
                tracing::warn!("Some requests took too long and were cut off.");
                self.serving.abort();
            }
            self.tasks.end(STOP_PATIENCE).await;
            if tokio::time::timeout(STOP_PATIENCE, self.app.close()).await.is_err() {
                tracing::warn!("Some connections to the database did not end and were cut off.");
            }
            Ok(())
        })
    }
}

/// Brings the schema up to date, waiting for a database that is still starting.
///
/// # Errors
/// [`StartError::Database`] when it does not answer in half a minute or a migration fails.
pub fn migrate<'a>(database_url: &'a str) -> BoxFuture<'a, Result<(), StartError>> {
    Box::pin(async move {
        let settings = DatabaseSettings { url: SecretString::from(database_url.to_owned()), max_connections: 1 };
        wait_for(&settings).await.map_err(|error| away(&settings, &error))?;
        Store::migrate(&settings).await.map_err(|error| away(&settings, &error))
    })
}

/// Waits until the database takes a connection, half a minute at most; a migration itself may take longer.
async fn wait_for(settings: &DatabaseSettings) -> Result<(), Error> {
    let end = tokio::time::Instant::now() + DATABASE_PATIENCE;
    loop {
        let reached = tokio::time::timeout_at(end, settings.reach()).await;
        let error = match reached.unwrap_or_else(|elapsed| Err(Error::unavailable("The database", elapsed))) {
            Err(error @ Error::Unavailable { .. }) => error,
            done => return done,
        };
        if tokio::time::Instant::now() + RETRY >= end {
            return Err(error);
        }
        tracing::warn!(cause = ?std::error::Error::source(&error).map(ToString::to_string), "Waiting for the database.");
        tokio::time::sleep(RETRY).await;
    }
}

/// The database as the configuration names it.
pub(crate) fn store(config: &Config) -> Result<Store, StartError> {
    let keys = config.key_ring().map_err(|problem| StartError::Config(vec![problem]))?;
    let settings = config.database();
    let connected = Store::connect(&settings, Arc::new(keys), Clock::system()).and_then(|store| match config.replica() {
        Some(url) => store.with_replica(&DatabaseSettings { url: url.clone(), ..settings }),
        None => Ok(store),
    });
    let search_memory = (config.search_memory_mib as usize) << 20;
    connected.map(|store| store.with_search_memory(search_memory)).map_err(|error| database_error(&error))
}

/// The provider of embeddings that the configuration names. Loading the local model blocks for a moment.
///
/// # Errors
/// [`StartError::Model`] when the local model cannot be loaded, [`StartError::Config`] for an impossible provider.
pub fn embedder(config: &Config) -> Result<Arc<dyn Embedder>, StartError> {
    let settings = &config.embedding;
    if let Some(key) = &settings.openai_api_key {
        let provider = OpenAiCompatible::new(OpenAiSettings {
            base_url: settings.openai_base_url.clone(),
            api_key: Some(key.clone()),
            model: settings.embedding_model.clone(),
            dimensions: settings.embedding_dimensions.map(|number| number as usize),
            timeout: Duration::from_secs(10),
        });
        return provider.map(|provider| Arc::new(provider) as _).map_err(|error| StartError::Config(vec![error.to_string()]));
    }
    let folder = settings.embedding_model_dir.clone().unwrap_or_default();
    match LocalModel::load(&folder) {
        Ok(model) => Ok(Arc::new(model)),
        Err(error) => Err(StartError::Model { folder, reason: error.to_string() }),
    }
}

/// Puts the application together from the configuration.
pub(crate) async fn application(config: &Config, public_url: String) -> Result<App, StartError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(StartError::Config(problems));
    }
    let settings = Settings {
        public_url,
        refresh_leeway: Duration::from_secs(config.refresh_leeway_seconds),
        embedding_budget: Duration::from_millis(config.embedding_budget_ms),
        parallel_hashes: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        limits: Limits {
            tokens: config.token_limit_per_minute,
            tools: config.tool_limit_per_minute,
            sign_in: config.sign_in_limit_per_minute,
            answers: config.persona_limit_per_minute,
            answers_a_day: config.persona_limit_per_day,
        },
        is_sign_up_open: config.signup,
        registration: match config.dynamic_registration {
            DynamicRegistration::Open => RegistrationPolicy::Open,
            DynamicRegistration::Loopback => RegistrationPolicy::Loopback,
            DynamicRegistration::Off => RegistrationPolicy::Off,
        },
        aggregate_min_people: config.aggregate_min_people,
        keeps_questions: config.persona_log_questions,
        document_hosts: config.document_hosts(),
    };
    let keys = config.key_ring().map_err(|problem| StartError::Config(vec![problem]))?;
    let store = store(config)?;
    let missing = store.missing_keys().await.map_err(|error| database_error(&error))?;
    if !missing.is_empty() {
        return Err(StartError::Config(missing.iter().map(missing_key_problem).collect()));
    }
    App::start(store, &keys, embedder(config)?, llm(config)?, Clock::system(), settings)
        .await
        .map_err(|error| database_error(&error))
}

/// Which key is missing, and for whom (ENC-06).
pub(crate) fn missing_key_problem(key: &MissingKey) -> String {
    format!(
        "ENCRYPTION_KEYS: {} people's texts need the key with the fingerprint {}, which is missing",
        key.people, key.fingerprint
    )
}

/// Makes an administrator unless there is one of this name.
///
/// # Errors
/// What is wrong with the database, the name, the address or the password.
pub fn create_admin<'a>(
    config: &'a Config,
    administrator: NewAdministrator,
) -> BoxFuture<'a, Result<AdministratorOutcome, StartError>> {
    Box::pin(async move {
        migrate(picard_crypto::ExposeSecret::expose_secret(&config.database_url)).await?;
        let app = application(config, config.public_url.clone().unwrap_or_default()).await?;
        let outcome = app.create_administrator(administrator).await.map_err(|error| database_error(&error));
        app.close().await;
        outcome
    })
}

/// Makes sure that codes of a client can be sent to this address: whoever starts a client somewhere else, with the server's
/// configuration at hand, need not be an administrator. Answers whether there is such a client.
///
/// # Errors
/// What is wrong with the configuration or the database.
pub fn move_client<'a>(config: &'a Config, client_id: &'a str, redirect_uri: &'a str) -> BoxFuture<'a, Result<bool, StartError>> {
    Box::pin(async move {
        let Ok(id) = client_id.parse() else { return Ok(false) };
        let store = store(config)?;
        let moved = async {
            let Some(mut client) = store.client(id).await? else { return Ok(false) };
            if client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
                return Ok(true);
            }
            client.redirect_uris = vec![redirect_uri.to_owned()];
            store.update_client(&client).await
        };
        let outcome = moved.await.map_err(|error| database_error(&error));
        store.close().await;
        outcome
    })
}

/// Makes a new key for access tokens and gives back its name; servers that run follow by themselves.
///
/// # Errors
/// What is wrong with the configuration or the database.
pub fn rotate_signing_key(config: &Config) -> BoxFuture<'_, Result<String, StartError>> {
    Box::pin(async move {
        migrate(picard_crypto::ExposeSecret::expose_secret(&config.database_url)).await?;
        let app = application(config, config.public_url.clone().unwrap_or_default()).await?;
        let outcome = app.rotate_signing_key().await.map_err(|error| database_error(&error));
        app.close().await;
        outcome
    })
}

/// Migrates, listens and serves.
///
/// # Errors
/// [`StartError`], which says what to do.
pub fn start(config: Config) -> BoxFuture<'static, Result<RunningServer, StartError>> {
    start_with(config, McpDoor::new)
}

/// The same with another MCP door, for tests of the protocol.
///
/// # Errors
/// As [`start`].
#[doc(hidden)]
pub fn start_with(
    config: Config,
    door: impl FnOnce(App, &McpSettings, Refuse) -> McpDoor + Send + 'static,
) -> BoxFuture<'static, Result<RunningServer, StartError>> {
    Box::pin(async move {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Config(problems));
        }
        let bind_error = |source| StartError::Bind { address: config.server_addr, source };
        let listener = TcpListener::bind(config.server_addr).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        migrate(picard_crypto::ExposeSecret::expose_secret(&config.database_url)).await?;
        let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let app = application(&config, public_url.clone()).await?;
        // Before anybody can subscribe, so that nobody misses anything.
        let hearing = Hearing::begin(&app).await.map_err(|error| database_error(&error))?;
        let (settings, refuse) = mcp_settings(&config, &app);
        let mcp = door(app.clone(), &settings, refuse);
        let (stop, leaving) = (CancellationToken::new(), CancellationToken::new());
        let metrics = Metrics::new();
        let tasks = Tasks::begin(&config, &app, &metrics, hearing, &stop);
        let state = AppState {
            app: app.clone(),
            openapi: config.docs.then(|| openapi::document(&public_url).to_string().into()),
            proxies: config.proxies().unwrap_or_default().into(),
            origins: config.allowed_origins.iter().filter_map(|origin| origin.parse().ok()).collect(),
            is_https: public_url.starts_with("https://"),
            leaving: leaving.clone(),
            large: crowd::places(),
            metrics,
            trouble: tasks.trouble(),
        };
        let service = router::router(state, &mcp).into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stop.clone().cancelled_owned();
        let listener = listener.tap_io(|stream| {
            // The second part of a streamed answer would wait until the client has acknowledged the first.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(cause = %error, "A connection holds small packets back.");
            }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(stopped).await });
        if let Some(variable) = config.llm.missing() {
            tracing::warn!(variable, "No model answers: the variable is not set.");
        }
        tracing::info!(address = %address, public_url, "The server is ready.");
        Ok(RunningServer { address, public_url, leaving, drain: config.drain(), stop, tasks, serving, app, mcp })
    })
}

fn mcp_settings(config: &Config, app: &App) -> (McpSettings, Refuse) {
    let settings = McpSettings {
        mode: match config.mcp_mode {
            McpModeName::Stateful => McpMode::Stateful,
            McpModeName::Stateless => McpMode::Stateless,
        },
        allowed_hosts: config.allowed_hosts.clone(),
        allowed_origins: config.allowed_origins.clone(),
        public_url: app.public_url().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let public_url = app.public_url().to_owned();
    let refuse = move |error: &Error| match error {
        Error::InsufficientScope(scope) => refuse(Error::InsufficientScope(*scope), &public_url, Resource::Mcp, true),
        _ => refuse(Error::Forbidden, &public_url, Resource::Mcp, true),
    };
    (settings, Arc::new(refuse))
}
