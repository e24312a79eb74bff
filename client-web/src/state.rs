//! What every request can use.

use std::sync::Arc;

use http::HeaderValue;
use ipnet::IpNet;
use picard_crypto::PasswordHasher;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pages::health::ServerProbe;
use crate::server_client::{ClientCredentials, ServerClient};
use crate::tasks::Trouble;
use crate::vault::Vault;

/// The application's parts; a clone shares them.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) pool: PgPool,
    pub(crate) server: ServerClient,
    /// `None` until an operator has registered the application at the server.
    pub(crate) client: Option<Arc<ClientCredentials>>,
    pub(crate) vault: Vault,
    pub(crate) passwords: PasswordHasher,
    /// Work that must be finished even if the browser goes away or the program stops.
    pub(crate) tasks: TaskTracker,
    pub(crate) probe: ServerProbe,
    /// Where browsers reach the application; no slash at the end.
    pub(crate) public_url: String,
    /// Where browsers reach the Picard server, which is its issuer's name; no slash at the end.
    pub(crate) server_public_url: String,
    /// The content security policy of all pages.
    pub(crate) policy: HeaderValue,
    /// Whether housekeeping has crashed.
    pub(crate) trouble: Trouble,
    /// Whose word on other addresses is believed.
    pub(crate) proxies: Arc<[IpNet]>,
    /// Whether browsers reach the application by HTTPS.
    pub(crate) is_https: bool,
    /// Cancelled when the application has been told to stop and still takes requests.
    pub(crate) leaving: CancellationToken,
}

impl AppState {
    /// Runs something to its end, even if the one who waits for it goes away in between: a token that the
    /// server has handed out must be stored or it is lost.
    pub(crate) async fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.tasks.spawn(work).await.ok()
    }
}
