//! What is where, and through which layers a request goes.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use picard_mcp::McpDoor;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::normalize_path::NormalizePathLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::routes::{
    activity, clients, connections, groups, health, imports, introspection, memories, metadata, people, personas, registration,
    revocation, tokens, tools, user_tokens, users,
};
use crate::state::AppState;
use crate::{bearer, crowd, deadline, drain, pages, request};

/// The largest body of a request.
const MOST_BODY_BYTES: usize = 1 << 20;

/// Operations that need no bearer token. The list may only shrink: a test calls every other operation without one.
pub(crate) fn open_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::index))
        .routes(routes!(health::health))
        .routes(routes!(health::liveness))
        .routes(routes!(health::readiness))
        .routes(routes!(pages::authorize::authorize))
        .routes(routes!(pages::authorize::consent))
        .routes(routes!(pages::sign_in::login_page, pages::sign_in::login))
        .routes(routes!(pages::sign_in::logout))
        .routes(routes!(pages::sign_up::signup_page, pages::sign_up::signup))
        .routes(routes!(pages::connections::connections_page, pages::connections::end_connection_form))
        .routes(routes!(users::sign_up))
        .routes(routes!(user_tokens::user_token))
        .routes(routes!(clients::register_client))
        .routes(routes!(clients::list))
        .routes(routes!(clients::get, clients::update, clients::delete))
        .routes(routes!(clients::replace_secret))
        .routes(routes!(people::list_people))
        .routes(routes!(people::get_person, people::change_person, people::delete_person))
        .routes(routes!(revocation::revoke_tokens))
        .routes(routes!(activity::activity))
        .routes(routes!(activity::stats))
}

/// The documents by which clients find their way; pages of any origin may read them.
pub(crate) fn document_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(metadata::authorization_server))
        .routes(routes!(metadata::protected_resource))
        .routes(routes!(metadata::mcp_protected_resource))
        .routes(routes!(metadata::jwks))
}

/// What programs do without a person; those that run in web pages need to come from an allowed origin.
pub(crate) fn client_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(tokens::token))
        .routes(routes!(tokens::revoke))
        .routes(routes!(introspection::introspect))
        .routes(routes!(registration::register))
}

/// Never with credentials: none of these takes a cookie (INP-13).
fn cors(origins: AllowOrigin) -> CorsLayer {
    let sent = [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("mcp-protocol-version")];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(sent)
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, request::REQUEST_ID])
        .max_age(std::time::Duration::from_secs(86_400))
}

/// Operations for the bearer of an access token.
pub(crate) fn api_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(tools::call_tool))
        .routes(routes!(memories::list_memories))
        .routes(routes!(imports::export_memories))
        .routes(routes!(imports::get_import))
        .routes(routes!(memories::read_memory))
        .routes(routes!(connections::list))
        .routes(routes!(connections::end))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::get, groups::rename, groups::delete))
        .routes(routes!(groups::add_member, groups::remove_member))
        .routes(routes!(personas::questions))
        .routes(routes!(personas::blocks))
        .routes(routes!(personas::limits, personas::set_limits))
        .routes(routes!(personas::block, personas::unblock))
        .routes(routes!(users::list_users))
        .routes(routes!(users::get_profile, users::change_profile, users::delete_account))
        .routes(routes!(users::change_password))
        .routes(routes!(users::own_activity))
        .routes(routes!(users::analytics))
}

/// Operations for the bearer of an access token whose bodies may have any size: they are streamed.
pub(crate) fn streaming_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(imports::import_memories))
}

/// The whole server.
pub(crate) fn router(state: AppState, mcp: &McpDoor) -> Router {
    let (open, _) = open_routes().split_for_parts();
    let (api, _) = api_routes().split_for_parts();
    let (streaming, _) = streaming_routes().split_for_parts();
    let api = api.merge(streaming.layer(DefaultBodyLimit::disable()));
    let api = api.route_layer(from_fn_with_state(state.clone(), bearer::api));
    let mcp = mcp
        .router()
        .layer(from_fn_with_state(state.clone(), bearer::mcp))
        .layer(from_fn(request::explain))
        .layer(mcp_cors(mcp.origin_check()));
    let observed = state.clone();
    let (documents, _) = document_routes().split_for_parts();
    let documents = documents
        // Where MCP clients look besides.
        .route("/.well-known/oauth-authorization-server/mcp", get(metadata::authorization_server))
        .route("/.well-known/openid-configuration", get(metadata::authorization_server))
        .route("/.well-known/openid-configuration/mcp", get(metadata::authorization_server))
        .route("/mcp/.well-known/openid-configuration", get(metadata::authorization_server))
        // Before the layer: it answers preflights, which are no method of the routes.
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(cors(AllowOrigin::any()));
    let (clients, _) = client_routes().split_for_parts();
    let clients = clients
        .route("/api/oauth/token", post(tokens::token))
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(cors(AllowOrigin::list(state.origins.iter().cloned())));
    let inner = open
        .merge(api)
        .merge(documents)
        .merge(clients)
        .merge(crate::documents::routes(&state))
        .route("/api/health", get(health::health))
        .route("/api/oauth/authorize", get(pages::authorize::authorize))
        .route("/consent", get(pages::authorize::no_question))
        .route("/static/{tag}/{name}", get(pages::assets::serve))
        .with_state(state)
        .merge(mcp)
        .fallback(request::not_found)
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(from_fn_with_state(observed.clone(), crowd::layer))
        .layer(from_fn(deadline::layer))
        .layer(CatchPanicLayer::custom(|_| axum::response::IntoResponse::into_response(crashed())))
        // Around all that may answer instead of a route, so that their answers are counted and logged as the route's.
        .layer(from_fn(request::remember_route));
    // A path means the same with and without a slash at its end, so the slash goes before routing begins.
    let service = ServiceBuilder::new().layer(NormalizePathLayer::trim_trailing_slash()).service(inner);
    Router::new().fallback_service(service).layer(from_fn(drain::layer)).layer(from_fn_with_state(observed, request::observe))
}

/// Pages of the origins that MCP is answered for may call, and read what a client needs of the answer.
fn mcp_cors(is_answered: impl Fn(&str) -> bool + Clone + Send + Sync + 'static) -> CorsLayer {
    let is_answered = move |origin: &HeaderValue, _: &Parts| origin.to_str().is_ok_and(&is_answered);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_answered))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        // Tools may name headers of their own.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, HeaderName::from_static("mcp-session-id"), request::REQUEST_ID])
        .max_age(std::time::Duration::from_secs(86_400))
}

fn crashed() -> Problem {
    Problem::from(picard_domain::Error::internal("a handler panicked"))
}
