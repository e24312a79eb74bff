//! The documents by which OAuth and MCP clients find their way (RFC 8414, RFC 9728, RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use picard_app::RegistrationPolicy;
use serde_json::{Value, json};

use crate::pages::words::LANGUAGES;
use crate::state::AppState;

const CACHED: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=300")];

/// The authorization server's metadata (RFC 8414): what works, and nothing else (TOK-15).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth", operation_id = "authorization_server_metadata",
    responses(
    (status = 200, description = "RFC 8414 metadata", body = Value, example = json!({"issuer": "http://127.0.0.1:8001",
        "token_endpoint": "http://127.0.0.1:8001/token", "scopes_supported": ["memories:read", "memories:write"]}))))]
pub(crate) async fn authorization_server(State(state): State<AppState>) -> impl IntoResponse {
    let url = state.app.public_url();
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    let mut metadata = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "introspection_endpoint": format!("{url}/introspect"),
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "scopes_supported": ["memories:read", "memories:write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": state.app.takes_client_documents(),
        "ui_locales_supported": LANGUAGES,
        "service_documentation": format!("{url}/docs"),
    });
    if state.app.is_sign_up_open() {
        metadata["prompt_values_supported"] = json!(["none", "login", "select_account", "consent", "create"]);
    }
    if state.app.registration_policy() != RegistrationPolicy::Off {
        metadata["registration_endpoint"] = format!("{url}/register").into();
    }
    (CACHED, Json(metadata))
}

fn resource(state: &AppState, path: &str) -> Value {
    let url = state.app.public_url();
    json!({
        "resource": format!("{url}{path}"),
        "authorization_servers": [url],
        "scopes_supported": ["memories:read", "memories:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Picard",
        "resource_documentation": format!("{url}/docs"),
    })
}

/// The REST API as a protected resource (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "oauth", operation_id = "protected_resource_metadata",
    responses(
    (status = 200, description = "RFC 9728 metadata", body = Value, example = json!({"resource": "http://127.0.0.1:8001",
        "authorization_servers": ["http://127.0.0.1:8001"], "scopes_supported": ["memories:read", "memories:write"]}))))]
pub(crate) async fn protected_resource(State(state): State<AppState>) -> impl IntoResponse {
    (CACHED, Json(resource(&state, "")))
}

/// The MCP endpoint as a protected resource (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource/mcp", tag = "oauth", operation_id = "mcp_protected_resource_metadata",
    responses(
    (status = 200, description = "RFC 9728 metadata", body = Value, example = json!({"resource": "http://127.0.0.1:8001",
        "authorization_servers": ["http://127.0.0.1:8001"], "scopes_supported": ["memories:read", "memories:write"]}))))]
pub(crate) async fn mcp_protected_resource(State(state): State<AppState>) -> impl IntoResponse {
    (CACHED, Json(resource(&state, "/mcp")))
}

/// The keys that verify access tokens (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "oauth", operation_id = "jwks", responses(
    (status = 200, description = "JWK set", body = Value, example = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…",
        "use": "sig", "alg": "ES256", "kid": "…"}]}))))]
pub(crate) async fn jwks(State(state): State<AppState>) -> impl IntoResponse {
    (CACHED, Json(state.app.jwks().await))
}
