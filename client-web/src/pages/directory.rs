//! People of the Picard server by their names, as far as they chose to be found.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::server_client::{Call, Directory, DirectoryEntry};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::fill;

/// Pages of the directory that are looked through for somebody; the server finds nobody by an id.
const MOST_PAGES: usize = 5;

/// Finds other people whose name has this in it; everybody who is listed when it is empty. The first 200.
pub(super) async fn find(state: &AppState, member: &Member, part: &str) -> Result<Vec<DirectoryEntry>, CallError> {
    let found = listed(state, member, part, None).await?;
    let own_id = member.server_user_id();
    Ok(found.users.into_iter().filter(|entry| Some(entry.id) != own_id).collect())
}

/// Finds these people among the first thousand who are listed.
pub(super) async fn these(state: &AppState, member: &Member, ids: &[Uuid]) -> Result<Vec<DirectoryEntry>, CallError> {
    let mut missing = ids.to_vec();
    missing.sort_unstable();
    missing.dedup();
    let (mut found, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        if missing.is_empty() {
            break;
        }
        let page = listed(state, member, "", cursor.as_deref()).await?;
        found.extend(page.users.into_iter().filter(|entry| missing.contains(&entry.id)));
        missing.retain(|id| found.iter().all(|entry: &DirectoryEntry| entry.id != *id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn listed(state: &AppState, member: &Member, part: &str, cursor: Option<&str>) -> Result<Directory, CallError> {
    let mut query = vec![("query", part.trim()), ("limit", "200")];
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    tokens::call(state, &member.person, &Call::get("/api/users", &query)).await
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
        None => unnamed(somebody, *id),
    };
    ids.iter().map(|id| (*id, named(id))).collect()
}

/// Tells apart what has no name here.
pub(super) fn unnamed(words: &str, id: Uuid) -> String {
    fill(words, &id.to_string()[..8])
}
