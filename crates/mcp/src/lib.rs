//! The MCP door: tools and resources of the Model Context Protocol over Streamable HTTP at `/mcp`, for clients of
//! revision 2026-07-28 (stateless) and of 2025-11-25 and 2025-06-18 (with sessions, or without).
//!
//! It translates between the protocol and `picard_app` and does nothing else: it checks no permission that `App`
//! does not check again, validates no value, knows no SQL. It must not know tokens either: the layer around its
//! router puts a [`picard_domain::Caller`] into the request.
//!
//! Start with [`McpDoor`], then `gate.rs` for what happens before the protocol, `handler.rs` for the protocol.

mod calls;
mod completions;
mod confirm;
mod error;
mod gate;
mod handler;
mod message;
mod network;
mod prompts;
mod resources;
mod sessions;
mod subscriptions;
mod tools;
mod traces;
mod uri;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use picard_app::App;
use picard_domain::Error;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::handler::Handler;
use crate::sessions::{Sessions, SharedSessions};

/// How clients of the revisions before 2026-07-28 are served; later ones never have sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum McpMode {
    /// With sessions, which every server of the deployment goes on with.
    Stateful,
    /// Every request stands alone.
    Stateless,
}

/// What of the door an operator can choose.
#[derive(Debug, Clone)]
pub struct McpSettings {
    /// Whether older clients get sessions.
    pub mode: McpMode,
    /// Host names (with a port, or for any port) besides the public URL's and loopback.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call, besides the server's own; a port left out is the scheme's.
    pub allowed_origins: Vec<String>,
    /// The server's public URL without a slash at the end.
    pub public_url: String,
    /// The program's version.
    pub version: &'static str,
}

/// Turns an error into the answer of a request that may not go on, for example 403 with its challenge.
pub type Refuse = Arc<dyn Fn(&Error) -> Response + Send + Sync>;

/// The MCP endpoint.
pub struct McpDoor {
    routes: Router,
    gate: Gate,
    ending: CancellationToken,
    origins: Arc<[String]>,
}

impl McpDoor {
    /// Puts the door together. `refuse` answers when the token lacks a scope (403 with a challenge).
    #[must_use]
    pub fn new(app: App, settings: &McpSettings, refuse: Refuse) -> Self {
        let (version, has_sessions) = (settings.version, settings.mode == McpMode::Stateful);
        let memories = app.clone();
        Self::assemble(app, settings, refuse, move |ending| {
            let handler = Handler::new(memories, version, ending, has_sessions);
            move || handler.of_request(sessions::accepted())
        })
    }

    /// The same door to other rooms: for tests of the protocol that need tools and resources which Picard does not have.
    #[doc(hidden)]
    #[must_use]
    pub fn with_factory<H: ServerHandler>(
        app: App,
        settings: &McpSettings,
        refuse: Refuse,
        factory: impl Fn() -> H + Send + Sync + 'static,
    ) -> Self {
        Self::assemble(app, settings, refuse, |_| factory)
    }

    fn assemble<H: ServerHandler, F: Fn() -> H + Send + Sync + 'static>(
        app: App,
        settings: &McpSettings,
        refuse: Refuse,
        factory: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let ending = CancellationToken::new();
        let all = CancellationToken::new();
        let sessions = Arc::new(Sessions::new(app.clone(), ending.clone()));
        let origins = network::origins(&settings.public_url, &settings.allowed_origins);
        let mut config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(settings.mode == McpMode::Stateful)
            .with_json_response(true)
            .with_max_request_body_bytes(gate::MOST_BYTES)
            .with_allowed_hosts(network::hosts(&settings.public_url, &settings.allowed_hosts))
            .with_allowed_origins(origins.clone())
            .enforce_origin_validation()
            .with_cancellation_token(all.clone());
        if settings.mode == McpMode::Stateful {
            config.session_store = Some(Arc::new(SharedSessions::new(app.clone())));
            tokio::spawn(sessions::hear(sessions.clone(), all.clone()));
        }
        let factory = factory(ending.clone());
        let service = StreamableHttpService::new(move || Ok(factory()), sessions.clone(), config);
        let routes = Router::new().route_service("/mcp", service);
        // Sessions run in tasks of their own: they end when the door and its routers are gone.
        let has_sessions = settings.mode == McpMode::Stateful;
        let gate = Gate::new(app, has_sessions.then_some(sessions), refuse, all.drop_guard());
        Self { routes, gate, ending, origins: origins.into() }
    }

    /// The routes: exactly `/mcp`. Expects a layer around it that has put a [`picard_domain::Caller`] into the request.
    pub fn router(&self) -> Router {
        self.routes.clone().route_layer(from_fn_with_state(self.gate.clone(), gate::admit))
    }

    /// Says of an origin whether its pages are answered, so that preflights say the same.
    pub fn origin_check(&self) -> impl Fn(&str) -> bool + Clone + Send + Sync + 'static {
        let origins = self.origins.clone();
        move |origin| network::is_answered(&origins, origin)
    }

    /// Ends the streams that would otherwise stay open for ever, so that a graceful shutdown comes to its end;
    /// calls that are under way still get their answers.
    pub fn stop(&self) {
        self.ending.cancel();
    }
}
