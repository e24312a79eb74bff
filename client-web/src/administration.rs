//! Administering the Picard server from here: an administrator's name and password, sealed in the session's row, for
//! a quarter of an hour.
//!
//! Tokens would be no better: the server gives this application none of an administrator's, and one that may do
//! everything is not worth keeping in a database whose other tokens only reach what their own people wrote.

use picard_crypto::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::Duration;

use crate::clock;
use crate::error::PageError;
use crate::server_client::{Administrator, Call, ToolError};
use crate::state::AppState;
use crate::tokens::CallError;
use crate::vault::Purpose;
use crate::visitor::Member;

/// Session member with the sealed password. `db::sessions::forget_administrators` knows its name and `until`.
const KEY: &str = "administrator";
/// For how long the password need not be typed again, however much is done.
const OPEN_FOR: Duration = Duration::minutes(15);

/// What the session's row holds.
#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    sealed: String,
    /// Seconds since the epoch.
    until: i64,
}

/// Lets this session administer the server; its id changes, so that one that was known before is worth nothing.
pub(crate) async fn open(state: &AppState, member: &Member, who: &Administrator) -> Result<(), PageError> {
    let sealed = state.vault.seal(member.person.id, Purpose::Administrator, who.password());
    let until = (clock::now() + OPEN_FOR).unix_timestamp();
    member.visitor.session.cycle_id().await?;
    Ok(member.visitor.session.insert(KEY, Entry { name: who.name().to_owned(), sealed, until }).await?)
}

/// Forgets the password.
pub(crate) async fn close(member: &Member) -> Result<(), PageError> {
    member.visitor.session.remove_value(KEY).await?;
    Ok(())
}

/// As whom this session administers the server, if it does.
pub(crate) async fn administrator(state: &AppState, member: &Member) -> Result<Option<Administrator>, PageError> {
    let Some(entry) = member.visitor.session.get::<Entry>(KEY).await? else {
        return Ok(None);
    };
    let password: Option<SecretString> = if entry.until > clock::now().unix_timestamp() {
        state.vault.open(member.person.id, Purpose::Administrator, &entry.sealed).ok()
    } else {
        None
    };
    if password.is_none() {
        close(member).await?;
    }
    Ok(password.map(|password| Administrator::new(&entry.name, password)))
}

/// Makes a call as the administrator; whoever is none, or no longer, is led to where the password is asked for.
pub(crate) async fn call<T: DeserializeOwned>(
    state: &AppState,
    member: &Member,
    call: &Call,
) -> Result<Result<T, CallError>, PageError> {
    let elsewhere = || PageError::Elsewhere("/admin".to_owned());
    let who = administrator(state, member).await?.ok_or_else(elsewhere)?;
    match state.server.administer(&who, call).await {
        Err(ToolError::InvalidToken) => {
            close(member).await?;
            Err(elsewhere())
        }
        other => Ok(other.map_err(CallError::from)),
    }
}
