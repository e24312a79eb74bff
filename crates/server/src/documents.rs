//! The OpenAPI document and Swagger UI, from the binary: no script comes from elsewhere (OPS-11).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::Config;

use crate::request::not_found;
use crate::state::AppState;

const PAGE: &str = include_str!("../static/docs.html");
const SCRIPT: &str = include_str!("../static/docs.js");

/// Swagger UI sets styles on elements and shows images from data URLs; scripts come from here alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json` and `/docs`, unless the operator has turned them off (OPS-11).
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    if state.openapi.is_none() {
        return Router::new();
    }
    Router::new().route("/openapi.json", get(openapi)).route("/docs", get(page)).route("/docs/{file}", get(asset))
}

async fn openapi(State(state): State<AppState>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, state.openapi.as_deref().unwrap_or_default().to_owned()).into_response()
}

async fn page() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, PAGE).into_response()
}

async fn asset(Path(file): Path<String>) -> Response {
    const CACHED: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=86400");
    if file == "docs.js" {
        return ([(header::CONTENT_TYPE, "text/javascript"), CACHED], SCRIPT).into_response();
    }
    let found = utoipa_swagger_ui::serve(&file, Arc::new(Config::from("/openapi.json"))).ok().flatten();
    match found {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type.as_str()), CACHED], asset.bytes.to_vec()).into_response(),
        None => not_found().await.into_response(),
    }
}
