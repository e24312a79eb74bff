//! Connects people with accounts of the Picard server, and ends that.
//!
//! Whose an account is, is known by the id that the server gave it, never by its name (WEB-10): a name that is free here
//! can be that of an account there whose own person once let this application in. Such an account is only given to whoever
//! signs in to it at the server.

use http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::db::connections::{self, Flow, NewConnection, Stored};
use crate::db::server_accounts::{self, Owner};
use crate::db::{DatabaseError, people, revocations};
use crate::server_client::{Call, Grant, Outage, TokenError};
use crate::state::AppState;
use crate::tokens::{self, CallError, ConnectionError, away};
use crate::vault::Purpose;
use crate::visitor::Person;

/// What a person allows this application to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadAndWrite,
}

impl Access {
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::Read => "memories:read",
            Self::ReadAndWrite => "memories:read memories:write",
        }
    }
}

/// Connects a person, or connects them anew, with the account that this application made for them.
pub(crate) async fn connect(state: &AppState, person: &Person, access: Access) -> Result<(), ConnectionError> {
    // The account of their name would be another one.
    if person.connection.as_ref().is_some_and(|connection| connection.is_by_code) {
        return Err(ConnectionError::ConnectedElsewhere);
    }
    let (task_state, person) = (state.clone(), person.clone());
    state
        .to_the_end(async move { connect_by_name(&task_state, &person, access.scope()).await })
        .await
        .unwrap_or_else(|| Err(away()))
}

async fn connect_by_name(state: &AppState, person: &Person, scope: &str) -> Result<(), ConnectionError> {
    let has_begun = people::has_begun_account(&state.pool, person.id).await?;
    let (grant, is_made_here) = match tokens::mint(state, person, scope, has_begun).await {
        Err(ConnectionError::Refused(TokenError::UserNotFound)) if !has_begun => {
            // Before it is made: should the server's answer be lost, the account is theirs all the same.
            people::begin_account(&state.pool, person.id).await?;
            (tokens::mint(state, person, scope, true).await?, true)
        }
        other => (other?, has_begun),
    };
    let theirs = account_by_name(state, person, &grant, is_made_here).await;
    let server_user_id = kept_or_given_up(state, person.id, &grant, theirs).await?;
    store(state, person.id, server_user_id, &grant, (scope, Flow::UserToken)).await
}

/// The account that tokens were minted for, if it is the person's.
async fn account_by_name(state: &AppState, person: &Person, grant: &Grant, is_made_here: bool) -> Result<Uuid, ConnectionError> {
    let id = grant.user_id.ok_or(TokenError::Outage(Outage::Unusable("it has no user_id")))?;
    let is_theirs = match server_accounts::owner(&state.pool, id).await? {
        Owner::Person(owner) => owner == person.id,
        Owner::Nobody => false,
        // The accounts that this application makes have no password.
        Owner::Unknown => {
            is_made_here && !state.server.account_of(&grant.access_token).await.map_err(TokenError::from)?.has_password
        }
    };
    if is_theirs { Ok(id) } else { Err(ConnectionError::SomebodyElses) }
}

/// Connects a person with the account that they have just signed in to at the server.
pub(crate) async fn connect_by_code(
    state: &AppState,
    person_id: Uuid,
    grant: &Grant,
    scope: &str,
) -> Result<(), ConnectionError> {
    let account = state.server.account_of(&grant.access_token).await;
    let id = account.map(|account| account.id).map_err(|outage| TokenError::from(outage).into());
    let server_user_id = kept_or_given_up(state, person_id, grant, id).await?;
    store(state, person_id, server_user_id, grant, (scope, Flow::AuthorizationCode)).await
}

/// Tokens that will not be kept must not stay alive.
async fn kept_or_given_up<T>(
    state: &AppState,
    person_id: Uuid,
    grant: &Grant,
    outcome: Result<T, ConnectionError>,
) -> Result<T, ConnectionError> {
    if outcome.is_err() {
        tokens::give_up(state, person_id, grant).await?;
    }
    outcome
}

async fn store(
    state: &AppState,
    person_id: Uuid,
    server_user_id: Uuid,
    grant: &Grant,
    (scope, flow): (&str, Flow),
) -> Result<(), ConnectionError> {
    let sealed = tokens::seal(state, person_id, grant, scope);
    let new = NewConnection { person_id, server_user_id, tokens: &sealed, flow };
    match connections::store(&state.pool, &new).await? {
        Stored::Done => Ok(()),
        Stored::SomebodyElses => Err(ConnectionError::SomebodyElses),
        Stored::ConnectedElsewhere => Err(ConnectionError::ConnectedElsewhere),
    }
}

/// Deletes the person's account at the server with everything in it. `password` is that of the account there, empty if it
/// has none.
pub(crate) async fn delete_account(state: &AppState, person: &Person, password: &str) -> Result<(), CallError> {
    let connection = person.connection.as_ref().ok_or(ConnectionError::NotConnected)?;
    let body = if password.is_empty() { json!({}) } else { json!({ "password": password }) };
    let call = Call::send(Method::DELETE, "/api/users/me", Some(body));
    if connection.can_write || connection.is_by_code {
        return tokens::call::<()>(state, person, &call).await;
    }
    // They had only allowed reading; this once they ask for more.
    let grant = tokens::mint(state, person, Access::ReadAndWrite.scope(), false).await?;
    if grant.user_id != Some(connection.server_user_id) {
        tokens::give_up(state, person.id, &grant).await?;
        return Err(ConnectionError::OtherAccount.into());
    }
    let deleted = state.server.call::<()>(&grant.access_token, &call).await;
    if deleted.is_err() {
        tokens::give_up(state, person.id, &grant).await?;
    }
    Ok(deleted?)
}

/// Forgets a person's tokens and revokes them at the server; `false` when the server could not be told yet
/// (it will be, by `housekeeping`).
pub(crate) async fn disconnect(state: &AppState, person: &Person) -> Result<bool, DatabaseError> {
    match connections::remove(&state.pool, person.id).await? {
        Some(revocation) => revoke_one(state, Some(revocation)).await.map(|outcome| outcome == Revoked::Done),
        None => Ok(true),
    }
}

/// What became of a queued revocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    NothingDue,
    Done,
    Later,
}

/// Makes one revocation that is due, the given one if it is asked for.
pub(crate) async fn revoke_one(state: &AppState, wanted: Option<Uuid>) -> Result<Revoked, DatabaseError> {
    let Some(client) = &state.client else {
        return Ok(Revoked::Later);
    };
    let Some(row) = revocations::claim(&state.pool, wanted).await? else {
        return Ok(Revoked::NothingDue);
    };
    if let Ok(token) = state.vault.open(row.person_id, Purpose::Refresh, &row.refresh_token) {
        if let Err(error) = state.server.revoke(client, &token).await {
            tracing::warn!(%error, user.id = %row.person_id, "a revocation failed and will be tried again");
            return Ok(Revoked::Later);
        }
    } else {
        tracing::warn!(user.id = %row.person_id, "a token that should be revoked cannot be read; it is left to expire");
    }
    revocations::delete(&state.pool, row.id).await?;
    Ok(Revoked::Done)
}
