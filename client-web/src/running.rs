//! A running web application: what `start` puts together and `stop` takes apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use axum::serve::ListenerExt;
use futures_util::future::BoxFuture;
use picard_crypto::{PasswordHasher, SecretString};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigProblems, Settings};
use crate::db::{DatabaseError, PATIENCE, Place};
use crate::pages::health::ServerProbe;
use crate::server_client::ServerClient;
use crate::state::AppState;
use crate::tasks::{self, Trouble};
use crate::vault::Vault;
use crate::{headers, housekeeping, router};

/// How long requests under way may take when the application stops.
const GRACE: Duration = Duration::from_secs(25);

/// Why the application did not start or stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigProblems),
    /// The application's database does not answer, or does not let the application in.
    #[error("the web application's database (WEB_DATABASE_URL: {place}) cannot be reached")]
    Database {
        /// Host, port and name.
        place: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database could not be brought to the current version.
    #[error("the web application's database cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address is in use, or not this machine's.
    #[error("cannot listen on {address} (WEB_ADDR)")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Client(#[from] reqwest::Error),
    /// A request was still under way when the time to stop was over.
    #[error("requests were still under way after {} seconds", GRACE.as_secs())]
    StoppedEarly,
}

/// An application that serves requests until it is stopped or dropped; only `stop` waits for the end.
#[derive(Debug)]
pub struct RunningWeb {
    address: SocketAddr,
    public_url: String,
    /// Cancelled as soon as it is told to stop: requests are still taken, and a balancer sees that it should send no more.
    leaving: CancellationToken,
    /// For how long that goes on.
    drain: Duration,
    stop: DropGuard,
    serving: JoinHandle<()>,
    tasks: TaskTracker,
    pool: PgPool,
}

/// Brings a database to the current version, under a lock, so that replicas may start together.
pub fn migrate<'a>(database_url: &'a str) -> BoxFuture<'a, Result<(), StartError>> {
    Box::pin(async move {
        reached(&SecretString::from(database_url)).await?;
        Ok(())
    })
}

/// Migrates the database, listens and serves. Returns as soon as requests are accepted.
pub fn start(config: Config) -> BoxFuture<'static, Result<RunningWeb, StartError>> {
    Box::pin(async move {
        let settings = config.settings()?;
        let pool = reached(&settings.database_url).await?.pool();
        let listen = |source| StartError::Listen { address: settings.address.clone(), source };
        let listener = TcpListener::bind(&settings.address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let public_url = settings.public_url.clone().unwrap_or_else(|| local_url(address));
        if settings.client.is_none() {
            tracing::warn!("CLIENT_ID and CLIENT_SECRET are not set: nobody can connect until `register-client` was run");
        }
        let drain = settings.drain;
        let state = state_of(settings, pool.clone(), &public_url)?;
        let stop = CancellationToken::new();
        let (tracker, leaving) = (state.tasks.clone(), state.leaving.clone());
        let (of_task, until) = (state.clone(), stop.clone());
        let run = move || -> BoxFuture<'static, ()> { Box::pin(housekeeping::run(of_task.clone(), until.clone())) };
        tracker.spawn(tasks::supervise(run, state.trouble.clone(), stop.clone()));
        let serving = tokio::spawn(serve(listener, state, public_url.clone(), stop.clone()));
        Ok(RunningWeb { address, public_url, leaving, drain, stop: stop.drop_guard(), serving, tasks: tracker, pool })
    })
}

/// Waits for the database and brings it to the current version.
async fn reached(database_url: &SecretString) -> Result<Place, StartError> {
    let unreachable = |place: String| move |source: DatabaseError| StartError::Database { place, source: source.into() };
    let place = Place::parse(database_url).map_err(unreachable("not a postgres:// URL".to_owned()))?;
    place.reached(PATIENCE).await.map_err(unreachable(place.to_string()))?;
    place.migrate().await?;
    Ok(place)
}

fn state_of(settings: Settings, pool: PgPool, public_url: &str) -> Result<AppState, StartError> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Ok(AppState {
        pool,
        server: ServerClient::new(&settings.server_url)?,
        client: settings.client.map(Arc::new),
        vault: Vault::new(settings.keys),
        passwords: PasswordHasher::new(cores),
        tasks: TaskTracker::new(),
        probe: ServerProbe::default(),
        trouble: Trouble::default(),
        proxies: settings.proxies.into(),
        is_https: public_url.starts_with("https://"),
        public_url: public_url.trim_end_matches('/').to_owned(),
        policy: headers::policy(&settings.server_public_url),
        server_public_url: settings.server_public_url,
        leaving: CancellationToken::new(),
    })
}

async fn serve(listener: TcpListener, state: AppState, public_url: String, stop: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        // Pages are small: waiting to fill packets would only make them late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let application = router::build(&state, &public_url);
    let service = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(application);
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the listener failed");
    }
}

/// The address as somebody on this machine would type it.
fn local_url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("http://127.0.0.1:{}", address.port()) } else { format!("http://{address}") }
}

impl RunningWeb {
    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where browsers reach the application, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Resolves when the application ends by itself, which is a failure.
    pub fn wait<'a>(&'a mut self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // A panic of the listener is an end as well.
            let _ = (&mut self.serving).await;
        })
    }

    /// Says that it is not ready, for so long as the configuration gives a balancer to notice; then accepts no more
    /// requests (OPS-06), finishes those under way and closes the database.
    pub fn stop(mut self) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async move {
            self.leaving.cancel();
            if !self.drain.is_zero() && !self.serving.is_finished() {
                tokio::time::sleep(self.drain).await;
            }
            self.stop.disarm().cancel();
            self.tasks.close();
            let serving = &mut self.serving;
            let finished = tokio::time::timeout(GRACE, async {
                if !serving.is_finished() {
                    let _ = serving.await;
                }
                self.tasks.wait().await;
            })
            .await;
            self.serving.abort();
            self.pool.close().await;
            finished.map_err(|_| StartError::StoppedEarly)
        })
    }
}
