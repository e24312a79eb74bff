//! What every handler has.

use std::sync::Arc;

use axum::http::HeaderValue;
use ipnet::IpNet;
use picard_app::App;
use picard_llm::Llm;

/// The one state of the router; cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState {
    /// What one can do.
    pub(crate) app: App,
    /// Who answers for personas.
    pub(crate) llm: Arc<dyn Llm>,
    /// The OpenAPI document, written once.
    pub(crate) openapi: Arc<str>,
    /// Whose word on other addresses is believed.
    pub(crate) proxies: Arc<[IpNet]>,
    /// Pages that may call the token endpoint and its kin.
    pub(crate) origins: Arc<[HeaderValue]>,
    /// Whether people reach the server over HTTPS.
    pub(crate) is_https: bool,
}
