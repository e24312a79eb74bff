//! Keeps people connected: hands out access tokens, refreshes them once for everybody, gives them up.
//!
//! At most one refresh of a connection is under way over all replicas. Whoever gets the lease in PostgreSQL makes
//! the call; the others wait until they see the next generation of tokens (WEB-07). No transaction is open
//! during a call.

use std::time::Duration;

use picard_crypto::SecretString;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use uuid::Uuid;

use crate::db::connections::{self, Death, Flow};
use crate::db::server_accounts::{self, Owner};
use crate::db::{DatabaseError, revocations};
use crate::server_client::{
    AnswerStream, Call, ClientCredentials, Grant, ImportStarted, MintRequest, Outage, TokenError, ToolAnswer, ToolError,
};
use crate::state::AppState;
use crate::vault::{Purpose, Unreadable};
use crate::visitor::Person;

/// How long and how often one who waits for another's refresh looks for its end.
const LOOK_EVERY: Duration = Duration::from_millis(75);
const LOOKS: usize = 400;

/// Why there is no usable token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the person is not connected")]
    NotConnected,
    #[error("this application has no client credentials")]
    NotRegistered,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the server answered for another account than the one that was connected")]
    OtherAccount,
    #[error("the account at the server is another person's here, or was")]
    SomebodyElses,
    #[error("the person is connected with another account of the server")]
    ConnectedElsewhere,
    #[error("the server has ended what the person allowed there")]
    Ended,
    #[error(transparent)]
    Refused(#[from] TokenError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why a tool could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Tool(#[from] ToolError),
}

impl ConnectionError {
    /// Whether only the person can mend it, by connecting again, and how that is remembered.
    fn death(&self) -> Option<Death> {
        match self {
            Self::Ended => Some(Death::Ended),
            Self::Refused(TokenError::UserNotFound) => Some(Death::AccountGone),
            Self::Refused(TokenError::AccessDenied) => Some(Death::Denied),
            Self::OtherAccount | Self::Refused(TokenError::AccountLinkRequired) => Some(Death::OtherAccount),
            _ => None,
        }
    }
}

impl From<Death> for ConnectionError {
    fn from(death: Death) -> Self {
        match death {
            Death::Ended => Self::Ended,
            Death::AccountGone => TokenError::UserNotFound.into(),
            Death::Denied => TokenError::AccessDenied.into(),
            Death::OtherAccount => Self::OtherAccount,
        }
    }
}

struct AccessToken {
    value: SecretString,
    generation: i64,
}

/// The server does not answer.
pub(crate) fn away() -> ConnectionError {
    TokenError::from(Outage::Away(None)).into()
}

/// Makes a call of the server for a person. A token that the server refuses is renewed once.
pub(crate) async fn call<T: DeserializeOwned>(state: &AppState, person: &Person, call: &Call) -> Result<T, CallError> {
    let token = access_token(state, person, None).await?;
    match state.server.call(&token.value, call).await {
        Err(ToolError::InvalidToken) => {
            let renewed = access_token(state, person, Some(token.generation)).await?;
            Ok(state.server.call(&renewed.value, call).await?)
        }
        other => Ok(other?),
    }
}

/// Uses a tool of the server for a person.
pub(crate) async fn call_tool<T: DeserializeOwned>(
    state: &AppState,
    person: &Person,
    tool: &str,
    data: &Value,
) -> Result<T, CallError> {
    Ok(call::<ToolAnswer<T>>(state, person, &Call::tool(tool, data)).await?.data)
}

/// Asks the server for everything that a person owns.
pub(crate) async fn export(state: &AppState, person: &Person, format: &str) -> Result<reqwest::Response, CallError> {
    let token = access_token(state, person, None).await?;
    match state.server.export(&token.value, format).await {
        Err(ToolError::InvalidToken) => {
            let renewed = access_token(state, person, Some(token.generation)).await?;
            Ok(state.server.export(&renewed.value, format).await?)
        }
        other => Ok(other?),
    }
}

/// Sends memories to be imported. The body cannot be sent twice: so a token that the server does not take any more is
/// found out, and renewed, by a call before it.
pub(crate) async fn import(
    state: &AppState,
    person: &Person,
    kind: &'static str,
    is_strict: bool,
    body: reqwest::Body,
) -> Result<ImportStarted, CallError> {
    call::<IgnoredAny>(state, person, &Call::get("/api/connections", &[])).await?;
    let token = access_token(state, person, None).await?;
    Ok(state.server.import(&token.value, kind, is_strict, body).await?)
}

/// Asks a persona; `data` is that of the tool `query_user`.
pub(crate) async fn ask(state: &AppState, person: &Person, data: &Value) -> Result<AnswerStream, CallError> {
    let token = access_token(state, person, None).await?;
    match state.server.ask(&token.value, data).await {
        Err(ToolError::InvalidToken) => {
            let renewed = access_token(state, person, Some(token.generation)).await?;
            Ok(state.server.ask(&renewed.value, data).await?)
        }
        other => Ok(other?),
    }
}

/// Finds a token that is good for another minute. `refused` is the generation of a token that the server would
/// not take, whatever its age.
async fn access_token(state: &AppState, person: &Person, refused: Option<i64>) -> Result<AccessToken, ConnectionError> {
    let mut start = None;
    for _ in 0..LOOKS {
        let row = connections::find(&state.pool, person.id).await?.ok_or(ConnectionError::NotConnected)?;
        let (first_generation, started_at) = *start.get_or_insert((row.generation, row.seen_at));
        if let Some(reason) = row.dead_reason {
            return Err(Death::from_word(&reason).into());
        }
        let is_usable = row.is_fresh && refused != Some(row.generation);
        if is_usable || row.generation > first_generation {
            let value = state.vault.open(person.id, Purpose::Access, &row.access_token)?;
            return Ok(AccessToken { value, generation: row.generation });
        }
        if row.refresh_failed_at.is_some_and(|failed_at| failed_at >= started_at) {
            return Err(away());
        }
        let lease_id = Uuid::new_v4();
        match connections::take_lease(&state.pool, person.id, row.generation, lease_id).await? {
            Some(lease) => {
                let (task_state, person) = (state.clone(), person.clone());
                let work = async move { refresh_under_lease(&task_state, &person, lease_id, &lease).await };
                state.to_the_end(work).await.unwrap_or_else(|| Err(away()))?;
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
    Err(away())
}

async fn refresh_under_lease(
    state: &AppState,
    person: &Person,
    lease_id: Uuid,
    lease: &connections::Leased,
) -> Result<(), ConnectionError> {
    match renew(state, person, lease).await {
        Ok(grant) => {
            let sealed = seal(state, person.id, &grant, &lease.scope);
            if !connections::finish_refresh(&state.pool, person.id, lease_id, &sealed).await? {
                // The person disconnected meanwhile: what was just handed out must not stay alive.
                revocations::insert(&state.pool, person.id, &sealed.refresh_token).await?;
            }
            tracing::debug!(user.id = %person.id, "refreshed the connection");
            Ok(())
        }
        Err(error) => {
            tracing::warn!(event = "refresh_failed", %error, user.id = %person.id, "cannot refresh the connection");
            connections::fail_refresh(&state.pool, person.id, lease_id, error.death()).await?;
            Err(error)
        }
    }
}

/// Gets new tokens by the refresh token or, when that is dead, by the user-token flow.
async fn renew(state: &AppState, person: &Person, lease: &connections::Leased) -> Result<Grant, ConnectionError> {
    let refresh_token = state.vault.open(person.id, Purpose::Refresh, &lease.refresh_token)?;
    match refresh(state, &refresh_token).await {
        // Only the person can allow it again, at the server.
        Err(ConnectionError::Refused(TokenError::InvalidGrant)) if lease.flow == Flow::AuthorizationCode.as_str() => {
            Err(ConnectionError::Ended)
        }
        Err(ConnectionError::Refused(TokenError::InvalidGrant)) => mint_again(state, person, lease).await,
        other => other,
    }
}

/// Tokens for the same account as before, if it is still the person's.
async fn mint_again(state: &AppState, person: &Person, lease: &connections::Leased) -> Result<Grant, ConnectionError> {
    if server_accounts::owner(&state.pool, lease.server_user_id).await? != Owner::Person(person.id) {
        return Err(ConnectionError::OtherAccount);
    }
    let grant = mint(state, person, &lease.scope, false).await?;
    if grant.user_id == Some(lease.server_user_id) {
        return Ok(grant);
    }
    give_up(state, person.id, &grant).await?;
    Err(ConnectionError::OtherAccount)
}

/// Trades the refresh token, and tries once more when the server was away for a moment (WEB-12). A server that hangs is
/// not asked again: it may have taken the token already, and others wait.
async fn refresh(state: &AppState, refresh_token: &SecretString) -> Result<Grant, ConnectionError> {
    let client = client(state)?;
    match state.server.refresh(client, refresh_token).await {
        Err(TokenError::Outage(outage)) if outage.is_brief() => {
            // At a time of its own, so that not all come back at once.
            let (random, _) = Uuid::new_v4().as_u64_pair();
            tokio::time::sleep(Duration::from_millis(100 + random % 300)).await;
            Ok(state.server.refresh(client, refresh_token).await?)
        }
        other => Ok(other?),
    }
}

/// Asks the server for tokens for the account of the person's name.
pub(crate) async fn mint(state: &AppState, person: &Person, scope: &str, is_first_time: bool) -> Result<Grant, ConnectionError> {
    let request = MintRequest { username: &person.username, email: person.email.as_deref(), is_first_time, scope };
    Ok(state.server.mint(client(state)?, &request).await?)
}

/// What this application shows the server.
pub(crate) fn client(state: &AppState) -> Result<&ClientCredentials, ConnectionError> {
    state.client.as_deref().ok_or(ConnectionError::NotRegistered)
}

/// Tokens as they are stored.
pub(crate) fn seal(state: &AppState, person_id: Uuid, grant: &Grant, requested_scope: &str) -> connections::SealedTokens {
    connections::SealedTokens {
        access_token: state.vault.seal(person_id, Purpose::Access, &grant.access_token),
        refresh_token: state.vault.seal(person_id, Purpose::Refresh, &grant.refresh_token),
        seconds_to_live: f64::from(grant.expires_in),
        scope: grant.scope.clone().unwrap_or_else(|| requested_scope.to_owned()),
    }
}

/// Has the server end tokens that are not kept.
pub(crate) async fn give_up(state: &AppState, person_id: Uuid, grant: &Grant) -> Result<(), ConnectionError> {
    let sealed = state.vault.seal(person_id, Purpose::Refresh, &grant.refresh_token);
    revocations::insert(&state.pool, person_id, &sealed).await?;
    Ok(())
}
