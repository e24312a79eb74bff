//! The application's own accounts.

use sqlx::PgPool;
use uuid::Uuid;

use super::Result;

/// An account to be created; the keys are the case-folded forms that must be unique.
#[derive(Debug)]
pub(crate) struct NewPerson<'a> {
    pub(crate) id: Uuid,
    pub(crate) username: &'a str,
    pub(crate) username_key: &'a str,
    pub(crate) email: Option<&'a str>,
    pub(crate) email_key: Option<&'a str>,
    pub(crate) password_hash: &'a str,
}

/// What sign-in needs to know of an account.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) id: Uuid,
    pub(crate) password_hash: String,
}

/// A signed-in person with what every page shows of them.
#[derive(Debug)]
pub(crate) struct PersonRow {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) server_user_id: Option<Uuid>,
    pub(crate) scope: Option<String>,
    pub(crate) flow: Option<String>,
    /// Whether the person has signed in at the server to an account that they used here.
    pub(crate) has_proved_account: bool,
    pub(crate) language: Option<String>,
    pub(crate) theme: Option<String>,
    pub(crate) time_zone: Option<String>,
}

/// Creates the account; `false` when the username or the e-mail address is taken.
pub(crate) async fn insert(pool: &PgPool, person: &NewPerson<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO people (id, username, username_key, email, email_key, password_hash)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        person.id,
        person.username,
        person.username_key,
        person.email,
        person.email_key,
        person.password_hash,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds the account that a username belongs to.
pub(crate) async fn credentials(pool: &PgPool, username_key: &str) -> Result<Option<Credentials>> {
    let row = sqlx::query_as!(Credentials, "SELECT id, password_hash FROM people WHERE username_key = $1", username_key,)
        .fetch_optional(pool)
        .await?;
    Ok(row)
}

/// Loads a person and, if there is one, the connection to the server.
pub(crate) async fn find(pool: &PgPool, id: Uuid) -> Result<Option<PersonRow>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"SELECT people.id, people.username, people.email, people.language, people.theme, people.time_zone,
                  connections.server_user_id AS "server_user_id?", connections.scope AS "scope?", connections.flow AS "flow?",
                  EXISTS (SELECT FROM server_accounts WHERE server_accounts.person_id = people.id AND is_proved)
                      AS "has_proved_account!"
           FROM people LEFT JOIN connections ON connections.person_id = people.id
           WHERE people.id = $1"#,
        id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Whether this application has begun to make an account of the person's name at the server.
pub(crate) async fn has_begun_account(pool: &PgPool, id: Uuid) -> Result<bool> {
    let has = sqlx::query_scalar!("SELECT has_begun_account FROM people WHERE id = $1", id).fetch_optional(pool).await?;
    Ok(has.unwrap_or_default())
}

/// Remembers that it begins to.
pub(crate) async fn begin_account(pool: &PgPool, id: Uuid) -> Result<()> {
    sqlx::query!("UPDATE people SET has_begun_account = true WHERE id = $1", id).execute(pool).await?;
    Ok(())
}

/// Stores how the application looks and speaks to a person; `None` leaves it to the browser.
pub(crate) async fn set_preferences(
    pool: &PgPool,
    id: Uuid,
    language: Option<&str>,
    theme: Option<&str>,
    time_zone: Option<&str>,
) -> Result<()> {
    sqlx::query!("UPDATE people SET language = $2, theme = $3, time_zone = $4 WHERE id = $1", id, language, theme, time_zone,)
        .execute(pool)
        .await?;
    Ok(())
}

/// Replaces a password hash that was made with older parameters, unless the password changed meanwhile.
pub(crate) async fn replace_hash(pool: &PgPool, id: Uuid, old: &str, new: &str) -> Result<()> {
    sqlx::query!("UPDATE people SET password_hash = $3 WHERE id = $1 AND password_hash = $2", id, old, new,)
        .execute(pool)
        .await?;
    Ok(())
}

/// Loads a person's password hash.
pub(crate) async fn password_hash(pool: &PgPool, id: Uuid) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!("SELECT password_hash FROM people WHERE id = $1", id).fetch_optional(pool).await?;
    Ok(hash)
}

/// Replaces a password and ends every session of the person: whoever knew the old one is out.
pub(crate) async fn set_password(pool: &PgPool, id: Uuid, hash: &str) -> Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query!("UPDATE people SET password_hash = $2 WHERE id = $1", id, hash).execute(&mut *transaction).await?;
    sqlx::query!("DELETE FROM sessions WHERE person_id = $1", id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Deletes a person with their sessions and their connection.
pub(crate) async fn delete(pool: &PgPool, id: Uuid) -> Result<()> {
    sqlx::query!("DELETE FROM people WHERE id = $1", id).execute(pool).await?;
    Ok(())
}
