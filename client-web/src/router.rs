//! Every path of the application and the layers around them.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::pages::{
    account, activity, admin, admin_client_form, admin_clients, admin_users, analytics, authorization, connect, connections,
    export, group, groups, health, home, import, import_progress, language, login, logout, memories, memory, memory_delete,
    memory_edit, memory_history, memory_new, memory_sharing, memory_undo, persona, persona_fields, persona_questions, personas,
    profile, register, search, suggestions,
};
use crate::session_store::PostgresStore;
use crate::state::AppState;
use crate::visitor::IDLE;
use crate::{assets, error_pages, headers, request_log};

/// A memory's 32,768 characters, percent-encoded at their longest, and the rest of the form.
const LARGEST_FORM: usize = 1024 * 1024;
/// Enough for a password of 1,024 characters; refused before anything is hashed (LOG-10).
const LARGEST_SIGN_IN: usize = 64 * 1024;

/// Builds the application. A slash at the end of a path makes no difference.
pub(crate) fn build(state: &AppState, public_url: &str) -> NormalizePath<Router> {
    let router = pages(state, public_url)
        .route("/health", get(health::show))
        .route("/health/liveness", get(health::liveness))
        .route("/health/readiness", get(health::readiness))
        .route("/favicon.ico", get(assets::favicon))
        .route("/static/{tag}/{name}", get(assets::serve))
        .layer(CompressionLayer::new())
        .layer(from_fn(headers::only_own_answers_are_compressed))
        .layer(from_fn_with_state(state.clone(), headers::layer))
        .layer(from_fn(request_log::layer))
        .with_state(state.clone());
    NormalizePathLayer::trim_trailing_slash().layer(router)
}

fn pages(state: &AppState, public_url: &str) -> Router<AppState> {
    let small = DefaultBodyLimit::max(LARGEST_SIGN_IN);
    Router::new()
        .route("/", get(home::show))
        .route("/register", get(register::show).post(register::submit).layer(small))
        .route("/login", get(login::show).post(login::submit).layer(small))
        .route("/language", post(language::submit).layer(small))
        .route("/logout", post(logout::submit))
        .route("/admin", get(admin::show).post(admin::open).layer(small))
        .route("/admin/close", post(admin::close))
        .route("/admin/users", get(admin_users::show))
        .route("/admin/users/{id}", post(admin_users::change))
        .route("/admin/clients", get(admin_clients::show).post(admin_client_form::register))
        .route("/admin/clients/new", get(admin_client_form::show_new))
        .route("/admin/clients/{id}", get(admin_client_form::show_edit).post(admin_clients::change))
        .route("/connect", get(connect::show).post(connect::submit))
        .route("/connect/authorize", post(authorization::begin))
        .route("/oauth/callback", get(authorization::callback))
        .route("/connections", get(connections::show))
        .route("/connections/disconnect", post(connections::disconnect))
        .route("/activity", get(activity::show))
        .route("/analytics", get(analytics::show))
        .route("/groups", get(groups::show).post(groups::create))
        .route("/groups/{id}", get(group::show).post(group::submit))
        .route("/import", get(import::show).post(import::submit).layer(DefaultBodyLimit::disable()))
        .route("/import/{id}", get(import_progress::show))
        .route("/export", get(export::download))
        .route("/memories", get(memories::show))
        .route("/memories/new", get(memory_new::show).post(memory_new::submit))
        .route("/memories/suggestions", get(suggestions::show))
        .route("/memories/{id}", get(memory::show))
        .route("/memories/{id}/edit", get(memory_edit::show).post(memory_edit::submit))
        .route("/memories/{id}/delete", post(memory_delete::submit))
        .route("/memories/undo", post(memory_undo::undo))
        .route("/memories/preview", post(memory_new::preview))
        .route("/memories/{id}/history", get(memory_history::show))
        .route("/memories/{id}/restore", post(memory_history::restore))
        .route("/memories/{id}/sharing", get(memory_sharing::show).post(memory_sharing::submit))
        .route("/memories/{id}/permission", post(memory::set_permission))
        .route("/personas", get(personas::show))
        .route("/personas/new", get(persona_fields::show_new).post(persona_fields::create))
        .route("/personas/questions", get(persona_questions::show))
        .route("/personas/blocks", post(persona_questions::set_block))
        .route("/personas/{id}", get(persona::show).post(persona::ask))
        .route("/personas/{id}/answer", post(persona::answer))
        .route("/personas/{id}/change", post(persona::change))
        .route("/personas/{id}/edit", get(persona_fields::show_edit).post(persona_fields::update))
        .route("/profile", get(profile::show).post(profile::submit))
        .route("/profile/public", post(account::set_public))
        .route("/profile/password", post(account::set_password).layer(small))
        .route("/profile/delete", post(account::delete).layer(small))
        .route("/search", get(search::show))
        .fallback(home::nowhere)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(cross_site_layer(public_url))
        .layer(CatchPanicLayer::custom(error_pages::after_panic))
        .layer(from_fn_with_state(state.clone(), error_pages::layer))
        .layer(session_layer(state))
}

/// Refuses forms that a browser sends from other sites, before anything else looks at them.
fn cross_site_layer(public_url: &str) -> CsrfLayer {
    // Behind a proxy that rewrites `Host`, only the public address tells what "same origin" is.
    CsrfLayer::new().add_trusted_origin(public_url).unwrap_or_default()
}

fn session_layer(state: &AppState) -> SessionManagerLayer<PostgresStore> {
    SessionManagerLayer::new(PostgresStore::new(state.pool.clone()))
        .with_name(cookie_name(state.is_https))
        .with_secure(state.is_https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Browsers accept the `__Host-` prefix only over HTTPS (LOG-03).
pub(crate) fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-picard_web" } else { "picard_web_session" }
}
