//! The tags and categories that a person has used, to be suggested.

use crate::server_client::{Call, Vocabulary};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// Asks the server for them. A page is no worse without suggestions, so a failure is none.
pub(super) async fn known(state: &AppState, member: &Member) -> Vocabulary {
    let found = tokens::call(state, &member.person, &Call::get("/api/users/me/analytics", &[])).await;
    found.unwrap_or_else(|error| {
        tracing::debug!(%error, "there is nothing to suggest");
        Vocabulary::default()
    })
}
