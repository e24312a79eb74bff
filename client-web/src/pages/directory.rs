//! People of the Picard server by their names, as far as they chose to be found.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::server_client::{Call, Directory, DirectoryEntry};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::fill;

/// Finds other people whose name has this in it; everybody who is listed when it is empty. The first 200.
pub(super) async fn find(state: &AppState, member: &Member, part: &str) -> Result<Vec<DirectoryEntry>, CallError> {
    let query = [("query", part.trim()), ("limit", "200")];
    let found: Directory = tokens::call(state, &member.person, &Call::get("/api/users", &query)).await?;
    let own_id = member.person.connection.as_ref().map(|connection| connection.server_user_id);
    Ok(found.users.into_iter().filter(|entry| Some(entry.id) != own_id).collect())
}

/// How a person is called on pages.
pub(super) fn name(entry: &DirectoryEntry) -> String {
    match entry.display_name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{name} ({})", entry.username),
        None => entry.username.clone(),
    }
}

/// Names for these people. The server does not tell the name of somebody who is not listed.
pub(super) fn names(ids: &[Uuid], found: &[DirectoryEntry], somebody: &str) -> BTreeMap<Uuid, String> {
    let named = |id: &Uuid| match found.iter().find(|entry| entry.id == *id) {
        Some(entry) => name(entry),
        None => fill(somebody, &id.to_string()[..8]),
    };
    ids.iter().map(|id| (*id, named(id))).collect()
}
