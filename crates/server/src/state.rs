//! What every handler has.

use std::sync::Arc;

use axum::http::HeaderValue;
use ipnet::IpNet;
use picard_app::App;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::tasks::Trouble;

/// The one state of the router; cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState {
    /// What one can do.
    pub(crate) app: App,
    /// The OpenAPI document, written once; `None` when nobody is shown it.
    pub(crate) openapi: Option<Arc<str>>,
    /// Whose word on other addresses is believed.
    pub(crate) proxies: Arc<[IpNet]>,
    /// Pages that may call the token endpoint and its kin.
    pub(crate) origins: Arc<[HeaderValue]>,
    /// Whether people reach the server over HTTPS.
    pub(crate) is_https: bool,
    /// Cancelled when the server has been told to stop and still takes requests.
    pub(crate) leaving: CancellationToken,
    /// Places for requests with large bodies.
    pub(crate) large: Arc<Semaphore>,
    /// What is counted for the operator.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether all background tasks are well.
    pub(crate) trouble: Trouble,
}
