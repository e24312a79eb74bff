//! The tags and categories that a person has used, to be suggested.

use crate::server_client::{Call, Figures};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// Asks the server for them. A page is no worse without suggestions, so a failure is none.
pub(super) async fn known(state: &AppState, member: &Member) -> Figures {
    let found = tokens::call(state, &member.person, &Call::get("/api/users/me/analytics", &[])).await;
    found.unwrap_or_else(|error| {
        tracing::debug!(%error, "there is nothing to suggest");
        Figures::default()
    })
}
