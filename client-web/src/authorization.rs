//! Connecting by authorization code: the person signs in at the Picard server itself and allows this application there.

use picard_crypto::{ExposeSecret, SecretString, hash_token, pkce_s256, random_token};
use url::Url;
use uuid::Uuid;

use crate::connecting::{self, Access};
use crate::db::authorizations::{self, AuthorizationRow};
use crate::server_client::{Metadata, Outage, TokenError};
use crate::state::AppState;
use crate::tokens::ConnectionError;
use crate::vault::Purpose;
use crate::visitor::Person;

/// The path that the server sends browsers back to.
pub const CALLBACK: &str = "/oauth/callback";

/// Why an authorization did not come to its end. Nothing was asked of the server for tokens but with [`Self::Connection`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorizationError {
    /// No such authorization was begun in this session, or it was completed, or it is too old.
    #[error("the state is not one of this session")]
    Unknown,
    /// The answer is another server's.
    #[error("the answer names another issuer, or none")]
    Issuer,
    /// The person said no.
    #[error("the person did not allow it")]
    Denied,
    /// The server could not do it.
    #[error("the server answered with an error or without a code")]
    Refused,
    #[error(transparent)]
    Connection(#[from] ConnectionError),
}

/// What the server's answer says, as the browser brings it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) state: String,
    pub(crate) code: String,
    pub(crate) error: String,
    pub(crate) iss: Option<String>,
}

fn key(state: &str, csrf: &str) -> [u8; 32] {
    hash_token(&format!("{state} {csrf}"))
}

/// Begins: the address at the server to which the browser goes. `csrf` is the form token of the session, which binds
/// the answer to it; `language` is the code of the one that the server's pages are to speak.
pub(crate) async fn begin(
    state: &AppState,
    person: &Person,
    (csrf, language): (&str, &str),
    access: Access,
) -> Result<Url, ConnectionError> {
    let client = state.client.as_deref().ok_or(ConnectionError::NotRegistered)?;
    let metadata = state.server.metadata().await.map_err(TokenError::from)?;
    let mut address = endpoint(&metadata, &state.server_public_url).map_err(TokenError::from)?;
    let (token, verifier) = (random_token(), random_token());
    let row = AuthorizationRow {
        person_id: person.id,
        verifier: state.vault.seal(person.id, Purpose::Verifier, &verifier),
        scope: access.scope().to_owned(),
        issuer: metadata.issuer,
        names_issuer: metadata.authorization_response_iss_parameter_supported,
    };
    authorizations::insert(&state.pool, &key(token.expose_secret(), csrf), &row).await?;
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client.id())
        .append_pair("redirect_uri", &callback(state))
        .append_pair("scope", &row.scope)
        .append_pair("state", token.expose_secret())
        .append_pair("code_challenge", &pkce_s256(verifier.expose_secret()))
        .append_pair("code_challenge_method", "S256")
        .append_pair("ui_locales", language);
    Ok(address)
}

/// The metadata must be those of the server that this application was set up for, and so must the page of it.
fn endpoint(metadata: &Metadata, server: &str) -> Result<Url, Outage> {
    if metadata.issuer.trim_end_matches('/') != server {
        return Err(Outage::Unusable("its issuer is not SERVER_PUBLIC_URL"));
    }
    if !metadata.code_challenge_methods_supported.iter().any(|method| method == "S256") {
        return Err(Outage::Unusable("it does not support S256"));
    }
    let endpoint = Url::parse(&metadata.authorization_endpoint).ok();
    let ours = Url::parse(server).ok().map(|server| server.origin());
    endpoint.filter(|endpoint| Some(endpoint.origin()) == ours).ok_or(Outage::Unusable("its authorization endpoint is elsewhere"))
}

fn callback(state: &AppState) -> String {
    format!("{}{CALLBACK}", state.public_url)
}

/// Completes what [`begin`] began, once (WEB-04).
pub(crate) async fn complete(state: &AppState, person: &Person, csrf: &str, answer: &Answer) -> Result<(), AuthorizationError> {
    let row = authorizations::take(&state.pool, &key(&answer.state, csrf), person.id).await.map_err(ConnectionError::from)?;
    let row = row.ok_or(AuthorizationError::Unknown)?;
    let is_named = answer.iss.as_ref().map_or(!row.names_issuer, |issuer| *issuer == row.issuer);
    if !is_named {
        return Err(AuthorizationError::Issuer);
    }
    match (answer.error.as_str(), answer.code.as_str()) {
        ("access_denied", _) => return Err(AuthorizationError::Denied),
        ("", "") => return Err(AuthorizationError::Refused),
        ("", _) => {}
        _ => return Err(AuthorizationError::Refused),
    }
    let verifier = state.vault.open(person.id, Purpose::Verifier, &row.verifier).map_err(ConnectionError::from)?;
    let (task_state, person, code) = (state.clone(), person.clone(), answer.code.clone());
    let work = async move { redeem(&task_state, person.id, &code, &verifier, &row.scope).await };
    let done = state.to_the_end(work).await;
    Ok(done.unwrap_or_else(|| Err(TokenError::from(Outage::Away(None)).into()))?)
}

async fn redeem(
    state: &AppState,
    person_id: Uuid,
    code: &str,
    verifier: &SecretString,
    scope: &str,
) -> Result<(), ConnectionError> {
    let client = state.client.as_deref().ok_or(ConnectionError::NotRegistered)?;
    let grant = state.server.redeem(client, (code, verifier), &callback(state)).await?;
    connecting::connect_by_code(state, person_id, &grant, scope).await
}
