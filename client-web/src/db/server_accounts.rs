//! Whose an account of the Picard server is here, by the id that the server gave it (WEB-10).

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Result;

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It was never connected here.
    Unknown,
    /// A person's.
    Person(Uuid),
    /// It was a person's who is gone.
    Nobody,
}

/// Looks up whose an account is.
pub(crate) async fn owner(pool: &PgPool, server_user_id: Uuid) -> Result<Owner> {
    let found = sqlx::query_scalar!("SELECT person_id FROM server_accounts WHERE server_user_id = $1", server_user_id)
        .fetch_optional(pool)
        .await?;
    Ok(match found {
        None => Owner::Unknown,
        Some(Some(person_id)) => Owner::Person(person_id),
        Some(None) => Owner::Nobody,
    })
}

/// Makes an account the person's if it is nobody's yet; `false` when it is or was another's.
pub(super) async fn claim(connection: &mut PgConnection, server_user_id: Uuid, person_id: Uuid) -> Result<bool> {
    // The update changes nothing: it waits for whoever claims the same account at the same time, and returns their row.
    let owner = sqlx::query_scalar!(
        "INSERT INTO server_accounts (server_user_id, person_id, is_proved) VALUES ($1, $2, false)
         ON CONFLICT (server_user_id) DO UPDATE SET bound_at = server_accounts.bound_at
         RETURNING person_id",
        server_user_id,
        person_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(owner == Some(person_id))
}

/// Makes an account the person's who has just signed in to it at the server, whoever's it was.
pub(super) async fn prove(connection: &mut PgConnection, server_user_id: Uuid, person_id: Uuid) -> Result<()> {
    sqlx::query!(
        "INSERT INTO server_accounts (server_user_id, person_id, is_proved) VALUES ($1, $2, true)
         ON CONFLICT (server_user_id) DO UPDATE SET person_id = excluded.person_id, is_proved = true, bound_at = now()",
        server_user_id,
        person_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}
