//! What has to be done from time to time: expired rows go, revocations that failed are tried again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::connecting::{self, Revoked};
use crate::db::{DatabaseError, attempts, authorizations, revocations, sessions};
use crate::state::AppState;

const REVOKE_EVERY: Duration = Duration::from_secs(15);
const FORGET_EVERY: Duration = Duration::from_secs(60);
const PURGE_EVERY: Duration = Duration::from_secs(600);

/// Runs until it is told to stop. Every replica runs it: the statements divide the work among them.
pub(crate) async fn run(state: AppState, stop: CancellationToken) {
    let mut revoke = tokio::time::interval(REVOKE_EVERY);
    let mut forget = tokio::time::interval(FORGET_EVERY);
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            _ = revoke.tick() => revoke_due(&state).await,
            _ = forget.tick() => sessions::forget_administrators(&state.pool).await.map(|_| ()),
            _ = purge.tick() => purge_expired(&state).await,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "housekeeping failed and will be tried again");
        }
    }
}

async fn revoke_due(state: &AppState) -> Result<(), DatabaseError> {
    for _ in 0..100 {
        if connecting::revoke_one(state, None).await? != Revoked::Done {
            break;
        }
    }
    Ok(())
}

async fn purge_expired(state: &AppState) -> Result<(), DatabaseError> {
    let expired = sessions::purge(&state.pool).await?;
    attempts::purge(&state.pool).await?;
    authorizations::purge(&state.pool).await?;
    revocations::purge(&state.pool).await?;
    tracing::debug!(expired, "purged expired sessions");
    Ok(())
}
