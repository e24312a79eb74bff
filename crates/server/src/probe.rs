//! One handler that does nothing, behind the bearer layer and without it, so that `picard bench` can measure what the
//! layer costs. The server itself has neither route.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::running::application;
use crate::state::AppState;
use crate::tasks::Trouble;
use crate::{Config, StartError, bearer, crowd};

/// `/open` and `/guarded` on a free port, until it is dropped.
#[derive(Debug)]
pub struct Probe {
    /// Where it listens.
    pub url: String,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Starts the probe on the database and the keys of a server that runs; `public_url` is that server's.
///
/// # Errors
/// As a server's start.
pub fn probe(config: Config, public_url: String) -> BoxFuture<'static, Result<Probe, StartError>> {
    Box::pin(async move {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let bind_error = |source| StartError::Bind { address, source };
        let app = application(&config, public_url).await?;
        let state = AppState {
            app,
            openapi: None,
            proxies: [].into(),
            origins: [].into(),
            is_https: false,
            leaving: CancellationToken::new(),
            large: crowd::places(),
            metrics: Metrics::new(),
            trouble: Trouble::default(),
        };
        let nothing = || get(|| async { StatusCode::NO_CONTENT });
        let guarded = Router::new().route("/guarded", nothing()).route_layer(from_fn_with_state(state, bearer::api));
        let router = Router::new().route("/open", nothing()).merge(guarded);
        let listener = TcpListener::bind(address).await.map_err(bind_error)?;
        let url = format!("http://{}", listener.local_addr().map_err(bind_error)?);
        Ok(Probe { url, serving: tokio::spawn(async move { axum::serve(listener, router).await }) })
    })
}
